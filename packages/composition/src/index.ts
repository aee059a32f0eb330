/**
 * What both programs of onevault open: settings, secrets, stores, the cloud, the proxy VM, locks. Only composition roots import it.
 * @packageDocumentation
 */
export {};
