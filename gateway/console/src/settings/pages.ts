// The settings' pages, which load as one.
export { ApiKeysPage } from "./api-keys";
export { GeneralPage } from "./general";
export { SettingsLayout } from "./layout";
export { RoutesPage } from "./routes-page";
export { SecretsPage } from "./secrets-page";
