import { Button } from '@mantine/core';
import { linkTo } from '../api/calls.ts';
import { Page, Panel } from '../show/page.tsx';

const FORMATS = [
  ['html', 'to read and to print'],
  ['csv', 'for a spreadsheet'],
  ['json', 'for a program'],
] as const;

export function ReportsPage() {
  return (
    <Page title="Reports" name="Reports" lead="Of the VMs that you may see, as they stand now.">
      <Panel title="Protection, and sizes per owner">
        <div className="ov-actions">
          {FORMATS.map(([format, what]) => (
            <Button
              key={format}
              component="a"
              href={linkTo('protectionReport', { query: { format } })}
              {...(format === 'html' ? { target: '_blank' } : { download: true })}
            >
              {format.toUpperCase()}: {what}
            </Button>
          ))}
        </div>
      </Panel>
    </Page>
  );
}
