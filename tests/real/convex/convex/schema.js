import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";
import { cutoverFlags } from "../../../../sample_configs/convex/schema.ts";

export default defineSchema({
  cutoverFlags,
  troubles: defineTable({ kind: v.string() }),
});
