import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";
import { cutoverFlags } from "../../../../sample_configs/convex/schema.ts";

export default defineSchema({
  cutoverFlags,
  troubles: defineTable({ kind: v.string() }),
  chats: defineTable({
    originalId: v.optional(v.string()),
    userId: v.string(),
    title: v.string(),
    timestamp: v.number(),
    createdAt: v.optional(v.number()),
    parentChatId: v.optional(v.string()),
    isDeleted: v.optional(v.boolean()),
  }).index("by_original_id", ["originalId"]),
  messages: defineTable({
    originalId: v.optional(v.string()),
    chatId: v.id("chats"),
    content: v.string(),
    role: v.string(),
    timestamp: v.number(),
    isDeleted: v.optional(v.boolean()),
  }).index("by_original_id", ["originalId"]),
});
