/**
 * Serves disks by the NBD protocol (fixed newstyle, structured replies, block status) over Unix sockets, TCP and TLS.
 * Knows nothing of restore points: what is served is any `NbdExport`.
 * @packageDocumentation
 */
export type { ConnectionTiming } from './connection.ts';
export { NbdError, type NbdErrorCode, type NbdErrorDetails } from './errors.ts';
export type { ExportDirectory, Extent, ExtentKind, NbdExport, NbdWriter } from './export.ts';
export type { NbdAddress } from './listen.ts';
export { nbdUri } from './nbd-uri.ts';
export { type OverlayExport, type OverlayOptions, openOverlay } from './overlay/overlay-export.ts';
export { type NbdServer, type NbdServerLimits, type NbdServerOptions, serveNbd } from './server.ts';
export { readTlsDirectory, type TlsFiles, type TlsSetup, tlsSetup } from './tls.ts';
