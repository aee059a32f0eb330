/**
 * Lines that a page shows and a run did not print, in whatever order: two streams meet in it. What varies from run to run (ids of runs and points, times, sizes, rates) is
 * compared by its form; `…` on the page stands for anything; white space counts once.
 */
export function missingLines(shown: readonly string[], printed: string): readonly string[] {
  const lines = printed.split('\n').map(form);
  return shown.filter((line) => {
    const wanted = new RegExp(`^${form(line).split('…').map(quoted).join('.*')}$`);
    return !lines.some((candidate) => wanted.test(candidate));
  });
}

const FORMS: readonly (readonly [RegExp, string])[] = [
  [/\b\d{8}t\d{6}-[a-z0-9]{6}\b/g, '<run>'],
  [/\b\d{8}[Tt]\d{2,6}(?:\d{3})?(?:Z?-?[0-9a-f]*)?\b/g, '<point>'],
  [/\b\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2})?(\.\d+)?(Z| UTC|[+-]\d{2}:\d{2})?/g, '<time>'],
  [/\b\d{4}-\d{2}-\d{2}\b/g, '<date>'],
  [/\b\d+(\.\d+)? ?([KMGT]iB|B)\/s\b/g, '<rate>'],
  [/\b\d+(\.\d+)? ?([KMGT]iB|B)(?![\w/])/g, '<size>'],
  [/\b(\d+(\.\d+)?(ms|s|m|h|d))+(?![\w/])/g, '<duration>'],
  [/\b[0-9a-f]{8,64}\b/g, '<hex>'],
];

function form(line: string): string {
  return FORMS.reduce((text, [pattern, name]) => text.replace(pattern, name), line)
    .replace(/\s+/g, ' ')
    .trim();
}

const quoted = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
