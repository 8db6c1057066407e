import { mutationGeneric, queryGeneric } from "convex/server";
import { v } from "convex/values";

// A chat migration as its plan had it, with every mistake of that plan to choose, and as it should be.
// Times come as PostgreSQL's TIMESTAMP tells them: without a zone.

const SCAN_LIMIT = 32000;

const milliseconds = (time, zone) => new Date(`${time.replace(" ", "T")}${zone}`).getTime();

export const forget = mutationGeneric({
  args: {},
  handler: async (ctx) => {
    for (const table of ["messages", "chats"]) {
      for (const row of await ctx.db.query(table).collect()) await ctx.db.delete(row._id);
    }
    return null;
  },
});

export const importChats = mutationGeneric({
  args: { chats: v.array(v.any()), mistakes: v.array(v.string()) },
  handler: async (ctx, { chats, mistakes }) => {
    const wrong = new Set(mistakes);
    const zone = wrong.has("zone") ? "+02:00" : "Z";
    const ids = new Map();
    for (const chat of chats) {
      const row = {
        userId: chat.user_id,
        title: chat.title,
        timestamp: milliseconds(chat.timestamp, zone),
        isDeleted: chat.is_deleted,
      };
      if (!wrong.has("no original id")) row.originalId = chat.id;
      if (!wrong.has("times dropped")) row.createdAt = milliseconds(chat.created_at, zone);
      ids.set(chat.id, await ctx.db.insert("chats", row));
    }
    for (const chat of chats) {
      if (chat.parent_chat_id === null) continue;
      const parent = wrong.has("stale parents") ? chat.parent_chat_id : ids.get(chat.parent_chat_id);
      await ctx.db.patch(ids.get(chat.id), { parentChatId: parent });
    }
    return null;
  },
});

// As in the plan: the chat of a message is looked up by an original id that the import of chats may not have stored.
export const importMessages = mutationGeneric({
  args: { messages: v.array(v.any()), mistakes: v.array(v.string()) },
  handler: async (ctx, { messages, mistakes }) => {
    const wrong = new Set(mistakes);
    const zone = wrong.has("zone") ? "+02:00" : "Z";
    for (const message of messages) {
      const chat = await ctx.db
        .query("chats")
        .withIndex("by_original_id", (index) => index.eq("originalId", message.chat_id))
        .first();
      if (chat === null) continue;
      const role = { human: "user", ai: "assistant" }[message.role];
      await ctx.db.insert("messages", {
        originalId: message.id,
        chatId: chat._id,
        content: message.content,
        role: wrong.has("role unmapped") ? message.role : role,
        timestamp: milliseconds(message.timestamp, zone),
        isDeleted: message.is_deleted,
      });
    }
    return null;
  },
});

// The verification of the plan counted what one user sees.
export const countOfUser = queryGeneric({
  args: { userId: v.string() },
  handler: async (ctx, { userId }) => {
    const rows = await ctx.db.query("chats").collect();
    return rows.filter((row) => row.userId === userId).length;
  },
});

// And it collected whole tables. The mock has no limits, so the documented one is put here.
export const countByCollecting = queryGeneric({
  args: { table: v.string() },
  handler: async (ctx, { table }) => {
    const rows = await ctx.db.query(table).collect();
    if (rows.length > SCAN_LIMIT) throw new Error(`Too many documents read (limit: ${SCAN_LIMIT})`);
    return rows.length;
  },
});

export const many = mutationGeneric({
  args: { size: v.number(), from: v.number() },
  handler: async (ctx, { size, from }) => {
    for (let n = from; n < from + size; n += 1) {
      await ctx.db.insert("chats", { originalId: `x${n}`, userId: "u", title: "t", timestamp: n, isDeleted: false });
    }
    return null;
  },
});
