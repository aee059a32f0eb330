/** `FILES_DS` as OpenNebula stores it: `/path/of/image:'name' …` (VirtualMachine::parse_context). */
const STORED = /(\S+):'([^']*)'/g;

/** Places of the files a saved context names. */
export function contextFileSources(value: string): readonly string[] {
  return [...value.matchAll(STORED)].flatMap(([, source]) => (source === undefined ? [] : [source]));
}

/** The same files in the form OpenNebula takes, by the ids of their images; files without one are left out. */
export function savedContextFiles(value: string, images: ReadonlyMap<string, number>): string {
  return contextFileSources(value)
    .flatMap((source) => {
      const id = images.get(source);
      return id === undefined ? [] : [`$FILE[IMAGE_ID="${id}"]`];
    })
    .join(' ');
}
