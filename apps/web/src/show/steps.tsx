/** Where one is in a wizard. */
export function Steps({ titles, current }: { readonly titles: readonly string[]; readonly current: number }) {
  return (
    <ol className="ov-steps" aria-label="steps">
      {titles.map((title, index) => (
        <li key={title} aria-current={index === current ? 'step' : undefined} data-done={index < current}>
          <i aria-hidden>{index < current ? '✓' : index + 1}</i>
          {title}
        </li>
      ))}
    </ol>
  );
}
