// The table of the flags. Add `cutoverFlags` to the schema that you have; this file is a whole one to start from.

import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";

export const cutoverFlags = defineTable({
  key: v.string(),
  enabled: v.boolean(),
  percent: v.number(), // of users, 0 to 100, at most two decimals; counts only while enabled
  version: v.number(), // grows with every write, also with one that changes nothing
  updatedBy: v.string(),
  updatedAt: v.number(), // milliseconds since 1970
}).index("by_key", ["key"]);

export default defineSchema({ cutoverFlags });
