import { Button } from '@mantine/core';

interface Pages {
  readonly hasNextPage: boolean;
  readonly isFetchingNextPage: boolean;
  fetchNextPage(): Promise<unknown>;
}

/** Under a list that is read page by page, as long as there is more. */
export function ShowOlder({ pages }: { readonly pages: Pages }) {
  if (!pages.hasNextPage) return null;
  return (
    <div className="ov-panel-body">
      <Button onClick={() => void pages.fetchNextPage()} loading={pages.isFetchingNextPage}>
        Show older ones
      </Button>
    </div>
  );
}
