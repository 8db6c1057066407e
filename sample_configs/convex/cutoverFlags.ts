// Flags in a Convex table, as the cockpit's `convex_table` lever reads and writes them.
//
// Everything here is internal: no browser can call it. The cockpit calls it with a deploy key that may
// run internal queries (`token`) or internal queries and mutations (`write_token`), and nothing else.
//
// Three promises that a cutover stands on. Keep them if you write functions of your own:
//   - `set` changes a flag only while its version is the expected one, and otherwise throws a ConvexError
//     whose data has the code VERSION_CONFLICT. Nothing else of an error reaches a caller in production.
//   - Every write makes the version grow. `kill` does so even when the flag is off already: a `set`
//     that is still on its way must find another version than the one it expects.
//   - Percentage and switch change in one mutation, so nobody is ever served a percentage by halves.

import { ConvexError, v } from "convex/values";
import { internalMutation, internalQuery } from "./_generated/server";
import type { Doc } from "./_generated/dataModel";
import type { MutationCtx, QueryCtx } from "./_generated/server";

const MOST_KEYS = 100;

export const list = internalQuery({
  args: { keys: v.array(v.string()) },
  handler: async (ctx, { keys }) => {
    if (keys.length > MOST_KEYS) throw new ConvexError({ code: "TOO_MANY_KEYS" });
    const found = await Promise.all(keys.map((key) => rowsOf(ctx, key)));
    return found.flat();
  },
});

export const set = internalMutation({
  args: {
    key: v.string(),
    percent: v.number(),
    enabled: v.boolean(),
    expectedVersion: v.number(),
    updatedBy: v.string(),
  },
  handler: async (ctx, { key, percent, enabled, expectedVersion, updatedBy }) => {
    const rows = await rowsOf(ctx, key);
    if (rows.length !== 1) throw new ConvexError({ code: rows.length ? "AMBIGUOUS" : "NO_SUCH_FLAG" });
    if (rows[0].version !== expectedVersion) {
      throw new ConvexError({ code: "VERSION_CONFLICT", version: rows[0].version });
    }
    if (!(percent >= 0 && percent <= 100)) throw new ConvexError({ code: "BAD_PERCENT" });
    await write(ctx, rows[0], { percent, enabled, updatedBy });
    return null;
  },
});

// The way back: unguarded, the same however often it is called, and for every row should a key have several.
export const kill = internalMutation({
  args: { key: v.string(), updatedBy: v.string() },
  handler: async (ctx, { key, updatedBy }) => {
    const rows = await rowsOf(ctx, key);
    if (rows.length === 0) throw new ConvexError({ code: "NO_SUCH_FLAG" });
    for (const row of rows) await write(ctx, row, { percent: 0, enabled: false, updatedBy });
    return null;
  },
});

// Once per flag, by hand: npx convex run --prod cutoverFlags:create '{"key": "chat_reads", "updatedBy": "kim"}'
export const create = internalMutation({
  args: { key: v.string(), updatedBy: v.string() },
  handler: async (ctx, { key, updatedBy }) => {
    if ((await rowsOf(ctx, key)).length > 0) throw new ConvexError({ code: "EXISTS" });
    const fresh = { key, enabled: false, percent: 0, version: 1, updatedBy, updatedAt: Date.now() };
    await ctx.db.insert("cutoverFlags", fresh);
    return null;
  },
});

async function rowsOf(ctx: QueryCtx, key: string) {
  return await ctx.db
    .query("cutoverFlags")
    .withIndex("by_key", (flags) => flags.eq("key", key))
    .collect();
}

async function write(
  ctx: MutationCtx,
  row: Doc<"cutoverFlags">,
  change: { percent: number; enabled: boolean; updatedBy: string },
) {
  await ctx.db.patch(row._id, { ...change, version: row.version + 1, updatedAt: Date.now() });
}
