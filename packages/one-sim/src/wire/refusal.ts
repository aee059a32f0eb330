/** Request::ErrorCode (include/Request.h). */
export const ERROR_CODE = {
  AUTHENTICATION: 256,
  AUTHORIZATION: 512,
  NO_EXISTS: 1024,
  ACTION: 2048,
  XML_RPC_API: 4096,
  INTERNAL: 8192,
  ALLOCATE: 16384,
} as const;

/** oned says no: becomes the five-element answer. `text` comes after the `[method] ` prefix. */
export class Refusal extends Error {
  readonly code: number;
  /** RequestAttributes::resp_id; -1 when the failure names no object. */
  readonly objectId: number;

  constructor(code: number, text: string, objectId = -1) {
    super(text);
    this.code = code;
    this.objectId = objectId;
  }
}

/** An XML-RPC fault: the call never reached oned's logic (wrong type, too few parameters, unknown method). */
export class Fault extends Error {
  readonly faultCode: number;

  constructor(faultCode: number, text: string) {
    super(text);
    this.faultCode = faultCode;
  }
}

/** xmlrpc-c's fault codes. */
export const FAULT_CODE = { TYPE: -501, PARSE: -503, NO_SUCH_METHOD: -506 } as const;

export const action = (text: string): Refusal => new Refusal(ERROR_CODE.ACTION, text);
export const internal = (text: string): Refusal => new Refusal(ERROR_CODE.INTERNAL, text);

/** `Error getting virtual machine [9].` */
export const noExists = (objectName: string, id: number): Refusal => new Refusal(ERROR_CODE.NO_EXISTS, `Error getting ${objectName} [${id}].`, id);

/** `Error allocating a new image. <reason>` */
export const allocate = (objectName: string, reason: string): Refusal => new Refusal(ERROR_CODE.ALLOCATE, `Error allocating a new ${objectName}. ${reason}`);
