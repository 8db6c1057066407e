import { mutationGeneric, queryGeneric } from "convex/server";
import { v } from "convex/values";

// What the lever may not do and a test must: store flags as they are given, none at all with an empty list.
export const store = mutationGeneric({
  args: { key: v.string(), rows: v.array(v.any()) },
  handler: async (ctx, { key, rows }) => {
    for (const old of await ctx.db.query("cutoverFlags").collect()) {
      if (old.key === key) await ctx.db.delete(old._id);
    }
    for (const row of rows) await ctx.db.insert("cutoverFlags", row);
    return null;
  },
});

export const count = queryGeneric({
  args: { key: v.string() },
  handler: async (ctx, { key }) => {
    const rows = await ctx.db.query("cutoverFlags").collect();
    return BigInt(rows.filter((row) => row.key === key).length);
  },
});
