// What `npx convex codegen` writes into every Convex app.

import type { DataModelFromSchemaDefinition, DocumentByName, TableNamesInDataModel } from "convex/server";
import type schema from "../../../../../sample_configs/convex/schema";

export type DataModel = DataModelFromSchemaDefinition<typeof schema>;
export type Doc<Name extends TableNamesInDataModel<DataModel>> = DocumentByName<DataModel, Name>;
