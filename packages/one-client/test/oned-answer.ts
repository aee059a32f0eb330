/** A success with text as oned writes it, byte for byte (xmlrpc-c); `scripted-oned.ts` writes its answers as another implementation might. */
export function onedSuccessXml(text: string): string {
  const escaped = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('\r', '&#x0d;');
  return `${[
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<methodResponse>',
    '<params>',
    '<param><value><array><data>',
    '<value><boolean>1</boolean></value>',
    `<value><string>${escaped}</string></value>`,
    '<value><i4>0</i4></value>',
    '</data></array></value></param>',
    '</params>',
    '</methodResponse>',
  ].join('\r\n')}\r\n`;
}
