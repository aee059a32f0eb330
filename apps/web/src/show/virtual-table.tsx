// biome-ignore-all lint/a11y/useSemanticElements: rows out of sight are not in the page, and those in sight stand by their coordinates: no table element does that
// biome-ignore-all lint/a11y/useFocusableInteractive: the rows are walked by the keyboard, their heading is not
import { useMediaQuery } from '@mantine/hooks';
import { useVirtualizer } from '@tanstack/react-virtual';
import { type KeyboardEvent, type ReactNode, useEffect, useLayoutEffect, useRef, useState } from 'react';

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
  readonly keyOf: (row: T) => string | number;
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

/** Of thousands of rows only those in sight are in the page. Arrow keys, Home, End and Page keys walk, Enter opens. */
export function VirtualTable<T>({ label, columns, rows, keyOf, card, onOpen, onNearEnd, hasMore }: VirtualTableProps<T>) {
  const narrow = useMediaQuery('(max-width: 48em)', false, { getInitialValueInEffect: false }) ?? false;
  const frame = useRef<HTMLDivElement>(null);
  const [active, setActive] = useState(0);
  const wanted = useRef(false);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => frame.current,
    estimateSize: () => (narrow ? CARD_PX : ROW_PX),
    overscan: 12,
  });
  // A row that becomes a card is twice as high: where all others stand is reckoned anew.
  useLayoutEffect(() => virtual.measure(), [virtual, narrow]);
  const items = virtual.getVirtualItems();
  const last = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (hasMore && last >= rows.length - NEAR_ROWS) onNearEnd();
  }, [hasMore, last, rows.length, onNearEnd]);
  useEffect(() => {
    if (!wanted.current) return;
    const row = frame.current?.querySelector<HTMLElement>(`[data-index="${active}"]`);
    if (row === null || row === undefined) return;
    wanted.current = false;
    row.focus();
  });
  const walk = (event: KeyboardEvent): void => {
    const step = stepOf(event.key, rows.length);
    const row = rows[active];
    if (event.key === 'Enter' && event.target instanceof HTMLElement && event.target.dataset['index'] !== undefined && row !== undefined) onOpen(row);
    if (step === undefined) return;
    event.preventDefault();
    const next = Math.min(Math.max(active + step, 0), rows.length - 1);
    wanted.current = true;
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
              key={keyOf(row)}
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

const STEPS: Readonly<Record<string, number>> = { ArrowDown: 1, ArrowUp: -1, PageDown: 20, PageUp: -20 };

function stepOf(key: string, count: number): number | undefined {
  if (key === 'Home') return -count;
  if (key === 'End') return count;
  return STEPS[key];
}
