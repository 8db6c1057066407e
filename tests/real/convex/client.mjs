// One call with the official JavaScript client: node client.mjs URL KEY query|mutation PATH ARGS
// Prints {"value": ..} or, for a ConvexError, {"data": ..}.

import { ConvexHttpClient } from "convex/browser";
import { makeFunctionReference } from "convex/server";
import { ConvexError } from "convex/values";

const [url, key, kind, path, args] = process.argv.slice(2);
const client = new ConvexHttpClient(url);
if (key) client.setAdminAuth(key);
try {
  console.log(JSON.stringify({ value: await client[kind](makeFunctionReference(path), JSON.parse(args)) }));
} catch (error) {
  if (!(error instanceof ConvexError)) throw error;
  console.log(JSON.stringify({ data: error.data }));
}
