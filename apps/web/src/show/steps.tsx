import { type Ref, type RefObject, useEffect, useRef } from 'react';

/** Where one is in a wizard. */
export function Steps({
  titles,
  current,
  ref,
}: {
  readonly titles: readonly string[];
  readonly current: number;
  readonly ref?: Ref<HTMLOListElement> | undefined;
}) {
  return (
    <ol className="ov-steps" aria-label={`step ${current + 1} of ${titles.length}: ${titles[current] ?? ''}`} tabIndex={-1} ref={ref}>
      {titles.map((title, index) => (
        <li key={title} aria-current={index === current ? 'step' : undefined} data-done={index < current}>
          <i aria-hidden>{index < current ? '✓' : index + 1}</i>
          {title}
        </li>
      ))}
    </ol>
  );
}

/** What is to get the focus when the step changes: reading and tabbing go on at the top of the new step, not below what one has not seen yet. */
export function useFocusOnChange(step: number): RefObject<HTMLOListElement | null> {
  const target = useRef<HTMLOListElement>(null);
  const before = useRef(step);
  useEffect(() => {
    if (before.current === step) return;
    before.current = step;
    target.current?.focus();
  }, [step]);
  return target;
}
