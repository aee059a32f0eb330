export interface TimelineSpan {
  readonly fromMs: number;
  readonly toMs: number;
}

export interface PlacedPoint<P> {
  /** Of the width, 0 to 100. */
  readonly left: number;
  /** Points too close to be told apart stand behind the newest of them. */
  readonly points: readonly [P, ...P[]];
}

const DAY = 86_400_000;

/** What a strip shows: so many days, or from the oldest point on; a twentieth of room on the right, so that the newest is not cut. */
export function spanOf(pointsMs: readonly number[], nowMs: number, days: number | undefined): TimelineSpan {
  const oldest = pointsMs.reduce((least, at) => Math.min(least, at), nowMs - DAY);
  const fromMs = days === undefined ? oldest - (nowMs - oldest) / 40 : nowMs - days * DAY;
  return { fromMs, toMs: nowMs + (nowMs - fromMs) / 40 };
}

/** Points in the span from left to right, those nearer than `apart` percent joined under the newest. */
export function placePoints<P>(points: readonly P[], atMs: (point: P) => number, span: TimelineSpan, apart: number): readonly PlacedPoint<P>[] {
  const shown = points.filter((point) => atMs(point) >= span.fromMs && atMs(point) <= span.toMs).sort((a, b) => atMs(b) - atMs(a));
  const placed: { left: number; points: [P, ...P[]] }[] = [];
  for (const point of shown) {
    const left = (100 * (atMs(point) - span.fromMs)) / (span.toMs - span.fromMs);
    const last = placed.at(-1);
    if (last !== undefined && last.left - left < apart) last.points.push(point);
    else placed.push({ left, points: [point] });
  }
  return placed.reverse();
}

/** About `count` moments to write under the axis. */
export function ticksOf({ fromMs, toMs }: TimelineSpan, count: number): readonly { readonly left: number; readonly atMs: number }[] {
  return Array.from({ length: count }, (_, index) => {
    const left = (100 * (index + 0.5)) / count;
    return { left, atMs: fromMs + ((toMs - fromMs) * left) / 100 };
  });
}
