// biome-ignore-all lint/a11y/useSemanticElements: rows out of sight are not in the page, and those in sight stand by their coordinates: no table element does that
// biome-ignore-all lint/a11y/useFocusableInteractive: the rows are walked by the keyboard, their heading is not
import { useMediaQuery } from '@mantine/hooks';
import { defaultRangeExtractor, type Range, useVirtualizer } from '@tanstack/react-virtual';
import { type KeyboardEvent, type ReactNode, useCallback, useEffect, useLayoutEffect, useRef, useState } from 'react';

export interface VirtualColumn<T> {
  readonly title: string;
  /** A track of a CSS grid: `minmax(10rem, 2fr)`. */
  readonly width: string;
  readonly cell: (row: T) => ReactNode;
  readonly right?: boolean;
}

interface VirtualTableProps<T> {
  readonly label: string;
  readonly columns: readonly VirtualColumn<T>[];
  readonly rows: readonly T[];
  /** The row on a narrow screen. */
  readonly card: (row: T) => ReactNode;
  readonly onOpen: (row: T) => void;
  /** The last rows are near: more may be fetched. */
  readonly onNearEnd: () => void;
  readonly hasMore: boolean;
}

const ROW_PX = 33;
const CARD_PX = 64;
const NEAR_ROWS = 30;

/**
 * Of thousands of rows only those in sight are in the page, and the one that the keyboard is at, wherever it is: the focus would go with it.
 * Arrow keys, Home, End and Page keys walk, Enter opens.
 */
export function VirtualTable<T>({ label, columns, rows, card, onOpen, onNearEnd, hasMore }: VirtualTableProps<T>) {
  const narrow = useMediaQuery('(max-width: 48em)', false, { getInitialValueInEffect: false }) ?? false;
  const frame = useRef<HTMLDivElement>(null);
  const [chosen, setActive] = useState(0);
  const active = Math.min(chosen, rows.length - 1);
  // Where the focus is to go: an effect of an earlier render may run after the key was pressed, and must not take it for its own row's.
  const wanted = useRef<number>(undefined);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => frame.current,
    estimateSize: () => (narrow ? CARD_PX : ROW_PX),
    overscan: 12,
    rangeExtractor: useCallback((range: Range) => withIndex(defaultRangeExtractor(range), active), [active]),
  });
  // A row that becomes a card is twice as high: where all others stand is reckoned anew.
  useLayoutEffect(() => virtual.measure(), [virtual, narrow]);
  const items = virtual.getVirtualItems();
  const nearEnd = hasMore && (virtual.range?.endIndex ?? 0) >= rows.length - NEAR_ROWS;
  useEffect(() => (nearEnd ? onNearEnd() : undefined), [nearEnd, rows.length, onNearEnd]);
  useEffect(() => {
    const row = frame.current?.querySelector<HTMLElement>(`[data-index="${wanted.current}"]`);
    if (row === null || row === undefined) return;
    wanted.current = undefined;
    row.focus({ preventScroll: true });
  });
  const walk = (event: KeyboardEvent): void => {
    const step = stepOf(event.key, rows.length);
    const row = rows[active];
    if (event.key === 'Enter' && event.target instanceof HTMLElement && event.target.dataset['index'] !== undefined && row !== undefined) onOpen(row);
    if (step === undefined) return;
    event.preventDefault();
    const next = Math.min(Math.max(active + step, 0), rows.length - 1);
    wanted.current = next;
    setActive(next);
    virtual.scrollToIndex(next);
  };
  const template = columns.map(({ width }) => width).join(' ');
  return (
    <div className="ov-vtable" ref={frame} role="table" aria-label={label} aria-rowcount={hasMore ? -1 : rows.length + 1} onKeyDown={walk}>
      {!narrow && (
        <div className="ov-vhead" role="rowgroup">
          <div role="row" aria-rowindex={1} className="ov-vrow-grid" style={{ gridTemplateColumns: template }}>
            {columns.map(({ title, right }) => (
              <div key={title} role="columnheader" className={right === true ? 'ov-right' : undefined}>
                {title}
              </div>
            ))}
          </div>
        </div>
      )}
      <div role="rowgroup" className="ov-vbody" style={{ height: virtual.getTotalSize() }}>
        {items.map(({ index, start, size }) => {
          const row = rows[index];
          if (row === undefined) return null;
          return (
            <div
              key={index}
              role="row"
              aria-rowindex={index + 2}
              data-index={index}
              tabIndex={index === active ? 0 : -1}
              onFocus={() => setActive(index)}
              className="ov-vrow"
              style={{ transform: `translateY(${start}px)`, height: size }}
            >
              {narrow ? (
                <div role="cell" className="ov-vcard">
                  {card(row)}
                </div>
              ) : (
                <div className="ov-vrow-grid" role="presentation" style={{ gridTemplateColumns: template }}>
                  {columns.map(({ title, cell, right }) => (
                    <div key={title} role="cell" className={right === true ? 'ov-right' : undefined}>
                      {cell(row)}
                    </div>
                  ))}
                </div>
              )}
            </div>
          );
        })}
      </div>
    </div>
  );
}

function withIndex(indexes: readonly number[], index: number): number[] {
  return indexes.includes(index) || index < 0 ? [...indexes] : [...indexes, index].sort((a, b) => a - b);
}

const STEPS: Readonly<Record<string, number>> = { ArrowDown: 1, ArrowUp: -1, PageDown: 20, PageUp: -20 };

function stepOf(key: string, count: number): number | undefined {
  if (key === 'Home') return -count;
  if (key === 'End') return count;
  return STEPS[key];
}
