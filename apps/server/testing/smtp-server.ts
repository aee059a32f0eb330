import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

export interface ReceivedMail {
  readonly from: string;
  readonly to: readonly string[];
  /** As it came, dots unstuffed. */
  readonly data: string;
  readonly encrypted: boolean;
  readonly user: string | undefined;
}

export interface SmtpServerOptions {
  /** Of loopback. Default 127.0.0.1. */
  readonly address?: string;
  /** Offers STARTTLS, or TLS from the first byte. */
  readonly tls?: { readonly key: string; readonly cert: string; readonly implicit?: boolean };
  /** Wanted before a mail is taken; offered only when encrypted. */
  readonly login?: { readonly user: string; readonly password: string };
  /** What RCPT answers; 250 if absent. */
  readonly recipientReply?: () => string;
}

/** A small mail server on loopback that keeps RFC 5321 (with STARTTLS and AUTH PLAIN and LOGIN) strictly: a bare line feed in an envelope command is an error. */
export class SmtpServer implements AsyncDisposable {
  readonly mails: ReceivedMail[] = [];
  /** Also those on which nothing was said. */
  connections = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #options: SmtpServerOptions;

  private constructor(options: SmtpServerOptions) {
    this.#options = options;
    this.#server = createServer((socket) => this.#accept(socket));
  }

  static async start(options: SmtpServerOptions = {}): Promise<SmtpServer> {
    const server = new SmtpServer(options);
    server.#server.listen(0, options.address ?? '127.0.0.1');
    await once(server.#server, 'listening');
    return server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    if (this.#server.listening) await once(this.#server, 'close');
  }

  #accept(socket: Socket): void {
    this.connections += 1;
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    const { tls } = this.#options;
    if (tls?.implicit === true) new Session(secured(socket, tls), this.#options, this.mails, true).greet();
    else new Session(socket, this.#options, this.mails, false).greet();
  }
}

function secured(socket: Socket, { key, cert }: { readonly key: string; readonly cert: string }): TLSSocket {
  return new TLSSocket(socket, { isServer: true, key, cert });
}

class Session {
  readonly #socket: Socket;
  readonly #options: SmtpServerOptions;
  readonly #mails: ReceivedMail[];
  readonly #encrypted: boolean;
  readonly #listener = (chunk: Buffer): void => this.#feed(chunk.toString('latin1'));
  #buffer = '';
  #user: string | undefined;
  #from: string | undefined;
  #to: string[] = [];
  #next: (line: string) => string | undefined = (line) => this.#command(line);
  #data: string[] | undefined;

  constructor(socket: Socket, options: SmtpServerOptions, mails: ReceivedMail[], encrypted: boolean) {
    this.#socket = socket;
    this.#options = options;
    this.#mails = mails;
    this.#encrypted = encrypted;
    socket.on('error', () => socket.destroy());
    socket.on('data', this.#listener);
  }

  greet(): void {
    this.#say('220 test.invalid ESMTP');
  }

  #say(text: string): void {
    this.#socket.write(`${text}\r\n`);
  }

  #feed(text: string): void {
    this.#buffer += text;
    for (let end = this.#buffer.indexOf('\r\n'); end >= 0; end = this.#buffer.indexOf('\r\n')) {
      const line = this.#buffer.slice(0, end);
      this.#buffer = this.#buffer.slice(end + 2);
      const reply = this.#data === undefined ? this.#next(line) : this.#dataLine(line, this.#data);
      if (reply !== undefined) this.#say(reply);
    }
  }

  #command(line: string): string | undefined {
    if (/[\r\n\0]/.test(line)) return '500 bare line end';
    const [verb = '', ...rest] = line.split(' ');
    switch (verb.toUpperCase()) {
      case 'EHLO':
        return ['250-test.invalid', ...this.#extensions().map((extension) => `250-${extension}`), '250 8BITMIME'].join('\r\n');
      case 'STARTTLS':
        return this.#startTls();
      case 'AUTH':
        return this.#auth(rest);
      case 'MAIL':
        return this.#mail(line);
      case 'RCPT':
        return this.#recipient(line);
      case 'DATA':
        if (this.#from === undefined || this.#to.length === 0) return '503 no recipient';
        this.#data = [];
        return '354 go on';
      case 'QUIT':
        this.#socket.end('221 bye\r\n');
        return undefined;
      default:
        return '502 unknown';
    }
  }

  #extensions(): readonly string[] {
    const { tls, login } = this.#options;
    return [...(tls !== undefined && !this.#encrypted ? ['STARTTLS'] : []), ...(login !== undefined && this.#encrypted ? ['AUTH PLAIN LOGIN'] : [])];
  }

  #startTls(): string | undefined {
    const { tls } = this.#options;
    if (tls === undefined || this.#encrypted) return '502 no';
    this.#say('220 go ahead');
    this.#socket.off('data', this.#listener);
    new Session(secured(this.#socket, tls), this.#options, this.#mails, true);
    return undefined;
  }

  #auth([mechanism, initial]: readonly string[]): string {
    const check = (user: string | undefined, password: string | undefined): string => {
      this.#next = (line) => this.#command(line);
      const { login } = this.#options;
      if (!this.#encrypted || login === undefined || user !== login.user || password !== login.password) return '535 wrong';
      this.#user = user;
      return '235 in';
    };
    const plain = (text: string): string => {
      const [, user, password] = decoded(text).split('\0');
      return check(user, password);
    };
    if (mechanism === 'PLAIN' && initial !== undefined) return plain(initial);
    if (mechanism === 'PLAIN') {
      this.#next = plain;
      return '334 ';
    }
    this.#next = (user) => {
      this.#next = (password) => check(decoded(user), decoded(password));
      return '334 UGFzc3dvcmQ6';
    };
    return '334 VXNlcm5hbWU6';
  }

  #mail(line: string): string {
    if (this.#options.login !== undefined && this.#user === undefined) return '530 log in first';
    const [, address] = /^MAIL FROM:<([^<>\s]*)>/i.exec(line) ?? [];
    if (address === undefined) return '501 what?';
    this.#from = address;
    this.#to = [];
    return '250 ok';
  }

  #recipient(line: string): string {
    const [, address] = /^RCPT TO:<([^<>\s]+)>$/i.exec(line) ?? [];
    if (address === undefined) return '501 what?';
    const reply = this.#options.recipientReply?.() ?? '250 ok';
    if (reply.startsWith('2')) this.#to.push(address);
    return reply;
  }

  #dataLine(line: string, data: string[]): string | undefined {
    if (line !== '.') {
      data.push(line.startsWith('.') ? line.slice(1) : line);
      return undefined;
    }
    this.#mails.push({ from: this.#from ?? '', to: this.#to, data: data.join('\r\n'), encrypted: this.#encrypted, user: this.#user });
    this.#data = undefined;
    this.#from = undefined;
    return '250 kept';
  }
}

function decoded(base64: string): string {
  return Buffer.from(base64, 'base64').toString('utf8');
}
