// Judges the TypeScript of sample_configs/convex as an app's own compiler would: strictly, against the types of
// the convex package. Prints what is wrong and exits 1.

import { fileURLToPath } from "node:url";
import ts from "typescript";

const here = fileURLToPath(new URL(".", import.meta.url));
const samples = `${here}../../../sample_configs/convex`;
const options = {
  strict: true,
  noEmit: true,
  skipLibCheck: true,
  target: ts.ScriptTarget.ES2022,
  lib: ["lib.es2023.d.ts", "lib.dom.d.ts"],
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  types: [],
  rootDirs: [samples, `${here}convex`],
  baseUrl: here,
  paths: { "convex/*": ["node_modules/convex/dist/esm-types/*/index.d.ts"] },
};
const program = ts.createProgram(["schema", "cutoverFlags", "parity"].map((name) => `${samples}/${name}.ts`), options);
const wrong = ts.getPreEmitDiagnostics(program);
const host = { getCanonicalFileName: (name) => name, getCurrentDirectory: () => here, getNewLine: () => "\n" };
if (wrong.length > 0) console.log(ts.formatDiagnostics(wrong, host));
process.exit(wrong.length > 0 ? 1 : 0);
