import { PacksignError } from '../errors.js';

/** A queue that a Redis server keeps. */
export interface QueueAddress {
  readonly host: string;
  readonly port: number;
  /** Empty if none is needed. */
  readonly username: string;
  readonly password: string;
  /** The number of the database in the server. */
  readonly database: number;
  readonly isTls: boolean;
  /** For people: without name and password. */
  readonly shown: string;
}

const DEFAULT_PORT = 6379;
const FORM = /^rediss?:\/\/(?:[^/?#@\s]*@)?(?:[\w.-]+|\[[\da-f:.]+\])(?::\d+)?(?:\/\d{0,4})?$/i;

/** Reads `redis://HOST:PORT/NUMBER` or `rediss://…`, with `USER:PASSWORD@` before the host. Throws USAGE, and repeats no password. */
export function parseQueue(text: string): QueueAddress {
  if (!URL.canParse(text) || !FORM.test(text)) throw unusable();
  const { protocol, host, hostname, port, pathname, username, password } = new URL(text);
  const database = Number(pathname.slice(1));
  return {
    // Only in an address has one of IPv6 brackets.
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? DEFAULT_PORT : Number(port),
    ...{ username: unescaped(username), password: unescaped(password) },
    ...{ database, isTls: protocol === 'rediss:' },
    shown: `${protocol}//${host}${database === 0 ? '' : `/${database}`}`,
  };
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw unusable();
  }
}

function unusable(): PacksignError {
  return new PacksignError('USAGE', 'the address of the queue is none such as redis://HOST:6379', {
    hint: 'write rediss:// for TLS, USER:PASSWORD@ before the host, and /NUMBER behind it for a database other than 0; escape signs of a password as %2F',
  });
}
