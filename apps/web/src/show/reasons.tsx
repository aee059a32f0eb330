import type { Reason } from '../api/answers.ts';

/** Reason codes with their sentences. */
export function Reasons({ reasons }: { readonly reasons: readonly Reason[] }) {
  if (reasons.length === 0) return null;
  return (
    <ul className="ov-reasons">
      {reasons.map(({ code, text }) => (
        <li key={`${code} ${text}`}>
          {text} <code className="ov-code">{code}</code>
        </li>
      ))}
    </ul>
  );
}
