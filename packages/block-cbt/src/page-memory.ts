/** O_DIRECT wants offset, length and memory address in multiples of the logical block size; a page is a multiple of every such size. */
export const PAGE_BYTES = 4096;

const WASM_PAGE_BYTES = 65_536;

/** Kept in sync with the part of the WebAssembly API that is used here; TypeScript ships it only with the DOM. */
declare const WebAssembly: { readonly Memory: new (size: { initial: number; maximum: number; shared?: boolean }) => { readonly buffer: ArrayBufferLike } };

/**
 * Zeroed memory that starts on a page boundary. WebAssembly memory is the only kind that a Node program without a native addon gets page-aligned:
 * the address of a Buffer or SharedArrayBuffer is wherever malloc put it, and O_DIRECT refuses that with EINVAL.
 */
export function pageAlignedMemory(bytes: number): Uint8Array {
  return new Uint8Array(allocate(bytes, false));
}

/** The same, shared between threads. */
export function sharedPageAlignedMemory(bytes: number): SharedArrayBuffer {
  const buffer = allocate(bytes, true);
  if (!(buffer instanceof SharedArrayBuffer)) throw new TypeError('shared WebAssembly memory is not shared on this platform');
  return buffer;
}

export function roundUpToPage(bytes: number): number {
  return Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;
}

function allocate(bytes: number, shared: boolean): ArrayBufferLike {
  const pages = Math.max(1, Math.ceil(bytes / WASM_PAGE_BYTES));
  return new WebAssembly.Memory({ initial: pages, maximum: pages, ...(shared ? { shared } : {}) }).buffer;
}
