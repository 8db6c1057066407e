// convex-test, the official in-memory mock of Convex functions, behind a small HTTP server.
//
// The functions, their validation and their errors are convex-test's; the routes, envelopes and
// statuses around them are ours, after the public API of the open-source backend. This is not a
// Convex backend: tests that use it say "convex-test".
//
// Usage: node server.mjs PORT INSTANCE ADMIN_KEY READ_KEY WRITE_KEY

import http from "node:http";
import { register } from "node:module";
import { convexTest } from "convex-test";
import { makeFunctionReference } from "convex/server";
import { ConvexError, convexToJson, jsonToConvex } from "convex/values";

register("./typescript.mjs", import.meta.url);
const { default: schema } = await import("./convex/schema.js");

const [port, instance, adminKey, readKey, writeKey] = process.argv.slice(2);
const READ_OPS = ["ViewData", "ViewMetrics", "ViewLogs", "RunInternalQueries"];
const allowedOps = new Map([
  [adminKey, []],
  [readKey, READ_OPS],
  [writeKey, ["RunInternalQueries", "RunInternalMutations"]],
]);
const modules = {
  "./convex/_generated/api.js": () => import("./convex/_generated/api.js"),
  "./convex/health.js": () => import("./convex/health.js"),
  "./convex/tamper.js": () => import("./convex/tamper.js"),
  "./convex/chatSync.js": () => import("./convex/chatSync.js"),
  "./convex/parity.js": () => import("../../../sample_configs/convex/parity.ts"),
  "./convex/cutoverFlags.js": () => import("../../../sample_configs/convex/cutoverFlags.ts"),
};
const functions = convexTest({ schema, modules });
const PAUSED_TEXT =
  "Cannot run functions while this deployment is paused. " +
  "Resume the deployment in the dashboard settings to allow functions to run.";
let paused = false;
let calls = 0;

class Refusal extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

// What the caller's key may do: null without a key, and an empty list for a key that may do everything.
function rightsOf(request) {
  const header = request.headers.authorization ?? "";
  if (!/^convex /i.test(header)) return null;
  const rights = allowedOps.get(header.slice(7));
  if (rights !== undefined) return rights;
  throw new Refusal(403, "BadDeployKey", `The provided deploy key was invalid for deployment '${instance}'.`);
}

function mustHave(rights, operation) {
  if (rights.length === 0 || rights.includes(operation)) return;
  throw new Refusal(403, "OperationNotPermitted", `You do not have permission to perform the operation ${operation}`);
}

function needKey(request) {
  const rights = rightsOf(request);
  if (rights === null) throw new Refusal(401, "Unauthenticated", "this call needs an admin key");
  return rights;
}

// Internal functions do not exist for callers without a key.
async function mayCall(kind, path, rights) {
  const [file, name = "default"] = path.split(":");
  const found = (await modules[`./convex/${file}.js`]?.())?.[name];
  if (!found?.isInternal) return true;
  if (rights !== null) mustHave(rights, kind === "query" ? "RunInternalQueries" : "RunInternalMutations");
  return rights !== null;
}

// Values leave in the clean JSON format: 64-bit integers as decimal text.
function cleanJson(value) {
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map(cleanJson);
  if (typeof value.$integer === "string") {
    return Buffer.from(value.$integer, "base64").readBigInt64LE().toString();
  }
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, cleanJson(each)]));
}

function asAsked(value, format) {
  return format === "json" ? cleanJson(value) : value;
}

async function withLogLines(run) {
  const lines = [];
  const original = console.log;
  console.log = (...parts) => lines.push(`[LOG] ${parts.map((part) => `'${part}'`).join(" ")}`);
  try {
    return [await run(), lines];
  } finally {
    console.log = original;
  }
}

async function callFunction(kind, { path, args, format }) {
  calls += 1;
  const requestId = calls.toString(16).padStart(16, "0");
  const reference = makeFunctionReference(path.includes(":") ? path : `${path}:default`);
  const given = Array.isArray(args) ? args[0] : args;
  try {
    const [value, logLines] = await withLogLines(() => functions[kind](reference, jsonToConvex(given ?? {})));
    const envelope = { status: "success", value: asAsked(convexToJson(value ?? null), format) };
    return logLines.length ? { ...envelope, logLines } : envelope;
  } catch (error) {
    const envelope = {
      status: "error",
      errorMessage: `[Request ID: ${requestId}] Server Error\nUncaught ${error}`,
    };
    return error instanceof ConvexError ? { ...envelope, errorData: error.data } : envelope;
  }
}

async function systemQuery(path, args) {
  const done = (value) => ({ status: "success", value });
  if (path === "_system/frontend/backendState") {
    return done({ system: "none", usage_limit: "none", user: paused ? "paused" : "none" });
  }
  if (path === "_system/cli/tables") {
    return done({ page: Object.keys(schema.tables).map((name) => ({ name })), isDone: true, continueCursor: "" });
  }
  if (path === "_system/frontend/tableSize") {
    if (!(args.tableName in schema.tables)) return done(0);
    return done((await functions.run((ctx) => ctx.db.query(args.tableName).collect())).length);
  }
  throw new Refusal(400, "BadConvexFunctionIdentifier", path);
}

async function bodyOf(request) {
  try {
    return JSON.parse(await text(request));
  } catch {
    throw new Refusal(400, "BadJsonBody", "the body is not JSON");
  }
}

async function answerBatch(request) {
  const results = [];
  for (const asked of (await bodyOf(request)).queries) results.push(await answer("query", asked, request));
  return { results };
}

async function answerCall(kind, request) {
  return answer(kind, await bodyOf(request), request);
}

async function answer(kind, asked, request) {
  const { path, format = "json" } = asked;
  if (typeof path !== "string" || !/^[\w./:]+$/.test(path)) {
    throw new Refusal(400, "BadConvexFunctionIdentifier", "not a function path");
  }
  if (!["json", "convex_encoded_json"].includes(format)) throw new Refusal(400, "BadFormat", "no such format");
  const rights = rightsOf(request);
  if (path.startsWith("_system/")) {
    if (rights === null) return { status: "error", errorMessage: "Server Error" };
    mustHave(rights, "ViewData");
    return systemQuery(path, asked.args);
  }
  if (!(await mayCall(kind, path, rights))) {
    return { status: "error", errorMessage: "[Request ID: 0000000000000000] Server Error" };
  }
  if (paused) return { status: "error", errorMessage: PAUSED_TEXT };
  return callFunction(kind, { ...asked, format });
}

function setPaused(request, wanted) {
  mustHave(needKey(request), wanted ? "PauseDeployment" : "UnpauseDeployment");
  paused = wanted;
  return "";
}

const routes = {
  "GET /": () => "This is convex-test over HTTP.",
  "GET /version": () => "convex-test-0.0.60",
  "GET /instance_name": () => instance,
  "GET /api/check_admin_key": (request) => ({ success: true, allowedOps: needKey(request), isReadOnly: false }),
  "POST /api/query": (request) => answerCall("query", request),
  "POST /api/query_batch": answerBatch,
  "POST /api/mutation": (request) => answerCall("mutation", request),
  "POST /api/v1/pause_deployment": (request) => setPaused(request, true),
  "POST /api/v1/unpause_deployment": (request) => setPaused(request, false),
};

async function text(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

function send(response, status, body) {
  const plain = typeof body === "string";
  response.writeHead(status, { "content-type": plain ? "text/plain" : "application/json" });
  response.end(plain ? body : JSON.stringify(body));
}

const server = http.createServer(async (request, response) => {
  const route = routes[`${request.method} ${new URL(request.url, "http://x").pathname}`];
  try {
    if (route === undefined) send(response, 404, "not found");
    else send(response, 200, await route(request));
  } catch (refusal) {
    if (!(refusal instanceof Refusal)) throw refusal;
    send(response, refusal.status, { code: refusal.code, message: refusal.message });
  }
});
server.listen(Number(port), "127.0.0.1");
