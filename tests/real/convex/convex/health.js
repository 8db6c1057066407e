import { mutationGeneric, queryGeneric } from "convex/server";
import { ConvexError, v } from "convex/values";

// A health function as a user would write one: it reads the database and throws when something is wrong.
export const check = queryGeneric({
  args: { deep: v.optional(v.boolean()) },
  handler: async (ctx, args) => {
    const trouble = await ctx.db.query("troubles").first();
    if (trouble?.kind === "coded") throw new ConvexError({ code: "NOT_READY", user: "bob" });
    if (trouble?.kind === "prose") throw new Error("bob's password is hunter2");
    console.log("checked");
    return { ok: true, deep: args.deep ?? false, rows: 33n };
  },
});

// How a test makes the health function fail; "none" mends it.
export const make = mutationGeneric({
  args: { trouble: v.string() },
  handler: async (ctx, { trouble }) => {
    for (const old of await ctx.db.query("troubles").collect()) await ctx.db.delete(old._id);
    if (trouble !== "none") await ctx.db.insert("troubles", { kind: trouble });
    return null;
  },
});
