declare module 'xmlrpc/lib/serializer.js' {
  export function serializeMethodCall(method: string, params: readonly unknown[], encoding?: string): string;
  export function serializeMethodResponse(result: unknown): string;
  export function serializeFault(fault: { readonly faultCode: number; readonly faultString: string }): string;
}

declare module 'xmlrpc/lib/customtype.js' {
  class CustomType {
    constructor(raw: string);
    readonly raw: string;
    readonly tagName: string;
  }
  export = CustomType;
}

declare module 'xmlrpc/lib/deserializer.js' {
  interface Source {
    setEncoding(encoding: string): void;
    on(event: string, listener: (error: unknown) => void): void;
    pipe(target: unknown): void;
  }
  class Deserializer {
    constructor(encoding?: string);
    readonly parser: { write(chunk: Uint8Array): boolean; end(): void };
    deserializeMethodResponse(source: Source, callback: (error: unknown, value?: unknown) => void): void;
    deserializeMethodCall(source: Source, callback: (error: unknown, method?: string, params?: readonly unknown[]) => void): void;
  }
  export = Deserializer;
}
