/** O_DIRECT wants offset, length and memory address in multiples of the logical block size; a page is a multiple of every such size. */
export const PAGE_BYTES = 4096;

const WASM_PAGE_BYTES = 65_536;

/** The part of the WebAssembly API that is used here; TypeScript ships it only with the DOM. */
declare const WebAssembly: { readonly Memory: new (size: { initial: number; maximum: number }) => { readonly buffer: ArrayBuffer } };

/** Zeroed memory on a page boundary: WebAssembly memory is the only kind that Node gives without a native addon. */
export function pageAlignedMemory(bytes: number): Uint8Array {
  const pages = Math.ceil(bytes / WASM_PAGE_BYTES);
  return new Uint8Array(new WebAssembly.Memory({ initial: pages, maximum: pages }).buffer);
}
