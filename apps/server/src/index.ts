/**
 * The onevault server: policies, schedules, workers, REST API, web UI, metrics. A composition root; `onevault server` starts it.
 * @packageDocumentation
 */

export { Access, type AccessDeps } from './access/access.ts';
export { accessHandlers } from './access/access-handlers.ts';
export { type OidcSettings, OidcSignIn } from './access/oidc.ts';
export { mayOfRun, vmOrUnknown } from './access/run-rights.ts';
export { credentialsVerifier } from './access/verify-credentials.ts';
export { DatabaseCatalog } from './catalog/database-catalog.ts';
export { OpenRepositories } from './catalog/open-repositories.ts';
export { policyOfPoint } from './catalog/point-row.ts';
export { notFound, ServerError, type ServerErrorCode } from './errors.ts';
export { createHttpServer, type HttpServer, type HttpServerDeps } from './http/create-http-server.ts';
export type { HttpLimits, HttpSettings } from './http/http-settings.ts';
export { findWebRoot } from './http/static-files.ts';
export { CloudInventory } from './inventory/cloud-inventory.ts';
export { formerVms } from './inventory/former-vms.ts';
export type { LiveDeps } from './live/live-deps.ts';
export { createLiveHandlers, type LiveHandlers } from './live/live-handlers.ts';
export { Redactor } from './logs/redactor.ts';
export { runLogger, runLogHandlers } from './logs/run-log.ts';
export { type LogLevel, logFormatOf, serverLogger } from './logs/server-logger.ts';
export { type MetricsDeps, metricsHandlers, openMetrics, type ServerMetrics } from './metrics/server-metrics.ts';
export { type Notifier, type NotifierDeps, notificationHandlers, openNotifier } from './notify/notifier.ts';
export type { Call, Caller, FileAnswer, Handler, HandlerTable } from './ports/call.ts';
export type { Catalog, CatalogPoint, PointPage, RepositoryStanding, VmPoints } from './ports/catalog.ts';
export type { Inventory, InventoryVm } from './ports/inventory.ts';
export { NOTIFICATION_CONDITIONS, type NotificationChannel, type NotificationCondition } from './ports/notification-channel.ts';
export type { RunOrigin, RunService, StartOptions } from './ports/run-service.ts';
export type { Caps, Maintenance, RepositorySetting, ServerSettings, SettingsChange, SettingsStore } from './ports/settings-store.ts';
export type { LiveVm, VmDetails } from './ports/vm-detail.ts';
export { type WorkOrder, workOrderSchema } from './ports/work-order.ts';
export type { WorkerRegistry, WorkerStanding } from './ports/worker-registry.ts';
export { ProtectionBoard } from './protection/protection-board.ts';
export { WriteBack } from './protection/write-back.ts';
export { type RebuildOptions, type RebuildReport, rebuildServer } from './rebuild/rebuild-server.ts';
export { IdempotencyKeys } from './runs/idempotency-keys.ts';
export { planRun } from './runs/plan-run.ts';
export { QueuedRuns } from './runs/queued-runs.ts';
export { runHandlers } from './runs/run-handlers.ts';
export { requestOf, runDetailView, runView } from './runs/run-view.ts';
export { databaseSlots } from './scheduler/handled-slots.ts';
export { Scheduler } from './scheduler/scheduler.ts';
export { openSettings, type SettingsStoreDeps } from './settings/settings-store.ts';
export type { ServerOptions, ServerRole } from './start/server-options.ts';
export { type RunningServer, startServer } from './start/start-server.ts';
export { type PlaceDeps, placeOpener } from './state/open-place.ts';
export type { StateDeps } from './state/state-deps.ts';
export { stateHandlers } from './state/state-handlers.ts';
export { repositorySettings } from './work/repository-settings.ts';
export { ServerWorker } from './work/server-worker.ts';
export { workerRegistry } from './work/worker-registry.ts';
