import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";

export default defineSchema({
  troubles: defineTable({ kind: v.string() }),
});
