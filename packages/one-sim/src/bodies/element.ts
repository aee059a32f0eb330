import type { Attributes, Vector } from '../template/attributes.ts';

/** `<NAME>text</NAME>`: oned prints numbers and names bare; names cannot hold markup (PoolObjectSQL::name_is_valid). */
export function element(name: string, content: string | number): string {
  return `<${name}>${content}</${name}>`;
}

/** `<NAME><![CDATA[text]]></NAME>`; a `]]>` inside is split over two sections as one_util::escape_xml does. */
export function cdata(name: string, text: string): string {
  return `<${name}><![CDATA[${text.replaceAll(']]>', ']]]]><![CDATA[>')}]]></${name}>`;
}

/** `<VMS><ID>1</ID></VMS>`; an empty collection still prints both tags. */
export function idCollection(name: string, ids: Iterable<number>): string {
  const sorted = [...ids].sort((a, b) => a - b);
  return element(name, sorted.map((id) => element('ID', id)).join(''));
}

/** A vector's fields in byte order; empty fields are kept only where the caller stored them. */
export function vectorFields(vector: Vector): string {
  return sortedNames(vector)
    .map((name) => cdata(name, vector[name] ?? ''))
    .join('');
}

/** The content of a TEMPLATE element. */
export function attributeElements(attributes: Attributes): string {
  return sortedNames(attributes)
    .flatMap((name) => (attributes[name] ?? []).map((value) => (typeof value === 'string' ? cdata(name, value) : element(name, vectorFields(value)))))
    .join('');
}

function sortedNames(record: object): string[] {
  return Object.keys(record).sort((a, b) => (a < b ? -1 : 1));
}
