/**
 * Runs one step of the preparation and says on stderr what it was and how long it took. stdout is left to the task, whose output may be JSON.
 * On a terminal the line appears at once and is completed in place.
 */
export async function step(title, work) {
  const started = performance.now();
  const live = process.stderr.isTTY === true;
  if (live) process.stderr.write(`· ${title} …`);
  const note = await work();
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  process.stderr.write(`${live ? '\r\x1b[K' : ''}· ${title}${note ? ` (${note})` : ''} ${seconds} s\n`);
}
