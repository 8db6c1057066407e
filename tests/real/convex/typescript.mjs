// Lets node import the TypeScript of sample_configs/convex as it stands there: types are taken off, and the
// generated files, which every Convex app makes for itself, come from this folder.

import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const here = new URL("./", import.meta.url);

export async function resolve(specifier, context, next) {
  if (!context.parentURL?.endsWith(".ts")) return next(specifier, context);
  if (specifier.startsWith("./_generated/")) {
    return { url: new URL(`convex/${specifier.slice(2)}.js`, here).href, shortCircuit: true };
  }
  if (specifier.startsWith("./")) {
    return { url: new URL(`${specifier}.ts`, context.parentURL).href, shortCircuit: true };
  }
  return next(specifier, { ...context, parentURL: import.meta.url });
}

export async function load(url, context, next) {
  if (!url.endsWith(".ts")) return next(url, context);
  const source = await readFile(fileURLToPath(url), "utf8");
  const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 };
  return { format: "module", source: ts.transpileModule(source, { compilerOptions }).outputText, shortCircuit: true };
}
