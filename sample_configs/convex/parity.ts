// What the cockpit's parity checks ask of a Convex app: counts in pages, rows by their legacy key, newest change.
//
// Everything here is internal; the cockpit calls it with a deploy key that may run internal queries. Put the names of
// your tables into TABLES. Each of them needs the key that its rows had on the legacy side:
//
//   originalId: v.optional(v.string()), ... .index("by_original_id", ["originalId"])
//
// An import that does not store that key cannot be checked, and cannot find a message's chat again either.

import { internalQueryGeneric, paginationOptsValidator } from "convex/server";
import { v } from "convex/values";

const TABLES = v.union(v.literal("chats"), v.literal("messages"));
const MOST_KEYS = 500;

// In pages, because one query may scan 32,000 documents. The filter has to be the one of the legacy count.
export const count = internalQueryGeneric({
  args: { table: TABLES, deleted: v.boolean(), paginationOpts: paginationOptsValidator },
  handler: async (ctx, { table, deleted, paginationOpts }) => {
    const found = await ctx.db
      .query(table)
      .filter((row) =>
        deleted ? row.eq(row.field("isDeleted"), true) : row.neq(row.field("isDeleted"), true),
      )
      .paginate(paginationOpts);
    return { ...found, page: found.page.map((row) => row._id) };
  },
});

export const rows = internalQueryGeneric({
  args: { table: TABLES, keys: v.array(v.string()) },
  handler: async (ctx, { table, keys }) => {
    const found = await Promise.all(
      keys.slice(0, MOST_KEYS).map((key) =>
        ctx.db
          .query(table)
          .withIndex("by_original_id", (index) => index.eq("originalId", key))
          .collect(),
      ),
    );
    return found.flat();
  },
});

// Legacy keys of the newest rows: to find rows that legacy does not have. Rows born here have none and are left out.
export const sample = internalQueryGeneric({
  args: { table: TABLES, size: v.number() },
  handler: async (ctx, { table, size }) => {
    const newest = await ctx.db.query(table).order("desc").take(size);
    return newest.map((row) => row.originalId).filter((key) => key !== undefined);
  },
});

export const newest = internalQueryGeneric({
  args: { table: TABLES },
  handler: async (ctx, { table }) => (await ctx.db.query(table).order("desc").first())?._creationTime ?? null,
});
