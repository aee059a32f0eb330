/** docs/format.md section 13: what a reader checks before it allocates (I15) and a writer keeps to. */
export const FORMAT_VERSION = 1;
export const MIN_BLOCK_BYTES = 64 * 1024;
export const MAX_BLOCK_BYTES = 4 * 1024 * 1024;
export const DEFAULT_BLOCK_BYTES = 1024 * 1024;
/** zstd; docs/adr/0019 says why not 3. */
export const DEFAULT_COMPRESSION_LEVEL = 2;
export const MAX_CHUNK_BYTES = 16 * 1024 * 1024;
export const MAX_ZSTD_WINDOW_BYTES = 8 * 1024 * 1024;
export const MAX_PACK_BYTES = 128 * 1024 * 1024;
export const MAX_PACK_CHUNKS = 65_536;
/** A pack is finished at the first chunk past this: large enough to be one good sequential write, small enough to repack. */
export const PACK_TARGET_BYTES = 64 * 1024 * 1024;
/** Keeps a trailer below 1 MiB when blocks compress very well. */
export const PACK_TARGET_CHUNKS = 16_384;
export const PAGE_DIGESTS = 1024;
export const MAX_JSON_BYTES = 16 * 1024 * 1024;
export const MAX_JSON_DEPTH = 64;
export const MAX_HEAD_BYTES = 512;
export const MAX_POINT_DISKS = 1024;
export const MAX_POINT_METADATA = 4096;
