import { Button } from '@mantine/core';
import { linkTo } from '../api/calls.ts';
import { Page, Panel } from '../show/page.tsx';

const REPORTS = [
  ['protectionReport', 'Protection', 'How each VM stands, the worst first: policy, newest restore point, by how much it is late, why it is left out.'],
  ['sizesReport', 'Sizes', 'What the restore points of each owner and each group take: what to charge for.'],
  ['drillsReport', 'Drills', 'Test restores that were made, how long they took, and VMs that never passed one.'],
] as const;
const FORMATS = [
  ['html', 'to read and to print'],
  ['csv', 'for a spreadsheet'],
  ['json', 'for a program'],
] as const;

export function ReportsPage() {
  return (
    <Page title="Reports" name="Reports" lead="Of the VMs that you may see, as they stand now.">
      {REPORTS.map(([id, title, what]) => (
        <Panel key={id} title={title}>
          <div>{what}</div>
          <div className="ov-actions">
            {FORMATS.map(([format, use]) => (
              <Button
                key={format}
                component="a"
                href={linkTo(id, { query: { format } })}
                aria-label={`${title} as ${format.toUpperCase()}: ${use}`}
                {...(format === 'html' ? { target: '_blank' } : { download: true })}
              >
                {format.toUpperCase()}: {use}
              </Button>
            ))}
          </div>
        </Panel>
      ))}
    </Page>
  );
}
