import type { ReactNode } from 'react';

export interface Column<T> {
  readonly title: string;
  readonly cell: (row: T) => ReactNode;
  /** Numbers stand on the right. */
  readonly right?: boolean;
  /** The title is for screen readers only. */
  readonly quiet?: boolean;
}

/** A table of what fits on a page; under 640 px each row becomes a card whose cells carry their titles. */
export function PlainTable<T>({
  label,
  columns,
  rows,
  keyOf,
}: {
  readonly label: string;
  readonly columns: readonly Column<T>[];
  readonly rows: readonly T[];
  readonly keyOf: (row: T) => string | number;
}) {
  return (
    <div className="ov-table-frame">
      <table className="ov-table">
        <caption className="ov-unseen">{label}</caption>
        <thead>
          <tr>
            {columns.map(({ title, right, quiet }) => (
              <th key={title} scope="col" className={right === true ? 'ov-right' : undefined}>
                {quiet === true ? <span className="ov-unseen">{title}</span> : title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={keyOf(row)}>
              {columns.map(({ title, cell, right, quiet }) => (
                <td key={title} data-title={quiet === true ? undefined : title} className={right === true ? 'ov-right' : undefined}>
                  {cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
