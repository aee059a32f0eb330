import { Button, CopyButton } from '@mantine/core';
import { IconCheck, IconCopy, IconDownload } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import type { RunDetail } from '../api/answers.ts';
import { linkTo } from '../api/calls.ts';
import { formatLocal, plural } from '../show/format.ts';
import { Empty, Panel } from '../show/page.tsx';
import { type LogLine, logText } from './log-line.ts';
import type { FoldedRun } from './run-fold.ts';

const TONES = { info: undefined, warn: 'ov-tone-warn', error: 'ov-tone-bad' } as const;
const LEVELS = { info: '', warn: 'warning: ', error: 'error: ' } as const;

/** All that happened, line by line; every VM and restore point in it leads to its page. */
export function RunLog({ run, folded }: { readonly run: RunDetail; readonly folded: FoldedRun }) {
  const repository = 'repository' in run.request ? run.request.repository : undefined;
  return (
    <Panel
      title="Log"
      flush
      actions={
        <>
          <Button
            component="a"
            href={linkTo('runLog', { params: { runId: run.id } })}
            download={`run-${run.id}.jsonl`}
            leftSection={<IconDownload size={14} />}
          >
            Download
          </Button>
          <CopyButton value={`run ${run.id} ${run.state}\n${logText(folded.log)}\n`} timeout={1500}>
            {({ copied, copy }) => (
              <Button onClick={copy} leftSection={copied ? <IconCheck size={14} /> : <IconCopy size={14} />}>
                {copied ? 'Copied' : 'Copy the whole log'}
              </Button>
            )}
          </CopyButton>
        </>
      }
    >
      {folded.log.length === 0 ? (
        <Empty>Nothing has been said yet.</Empty>
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard
        <div className="ov-log" tabIndex={0} role="log" aria-label="log of the run" aria-live="off">
          {folded.dropped > 0 && <div>{plural(folded.dropped, 'older line')} left out</div>}
          {folded.log.map((line) => (
            <Line key={line.id} line={line} repository={repository} />
          ))}
        </div>
      )}
    </Panel>
  );
}

function Line({ line, repository }: { readonly line: LogLine; readonly repository: string | undefined }) {
  return (
    <div>
      <time dateTime={line.time} title={line.time} className="ov-dim">
        {formatLocal(new Date(line.time), { seconds: true }).slice(11)}
      </time>
      <span className={TONES[line.level]}>
        {LEVELS[line.level]}
        {line.text}
        {line.vmId !== undefined && (
          <>
            {' '}
            <Link to="/vms/$vmId" params={{ vmId: String(line.vmId) }}>
              VM {line.vmId}
            </Link>
          </>
        )}
        {line.pointId !== undefined && repository !== undefined && (
          <>
            {' '}
            <Link to="/points/$repository/$pointId" params={{ repository, pointId: line.pointId }}>
              restore point
            </Link>
          </>
        )}
      </span>
    </div>
  );
}
