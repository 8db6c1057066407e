// What `npx convex codegen` writes into every Convex app.

import { internalMutationGeneric, internalQueryGeneric } from "convex/server";

export const internalMutation = internalMutationGeneric;
export const internalQuery = internalQueryGeneric;
