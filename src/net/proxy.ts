import { BlockList, isIP } from 'node:net';
import { PacksignError } from '../errors.js';

/** Proxies as the environment names them; an empty text where it names none. */
export interface ProxySettings {
  readonly http: string;
  readonly https: string;
  /** `ALL_PROXY`: for both, where they name none. */
  readonly all: string;
  /** `NO_PROXY`: hosts, domains and networks that are reached directly. */
  readonly none: string;
}

export const NO_PROXIES: ProxySettings = { http: '', https: '', all: '', none: '' };

/** The proxy through which an address is reached; null for none. Throws USAGE for a proxy that packsign cannot use. */
export function proxyFor(at: URL, proxies: ProxySettings): URL | null {
  const own = at.protocol === 'https:' ? proxies.https : proxies.http;
  const text = own === '' ? proxies.all : own;
  return text === '' || isDirect(at, proxies.none) ? null : parseProxy(text);
}

/** `host:3128` means http, as curl has it. */
function parseProxy(text: string): URL {
  const address = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  const url = URL.canParse(address) ? new URL(address) : null;
  if (url !== null && ['http:', 'https:'].includes(url.protocol)) return url;
  // Without the password, which may hold any character.
  const shown = text.replace(/^([a-z][a-z0-9+.-]*:\/\/)?.*@/is, '$1');
  throw new PacksignError('USAGE', `the environment names a proxy that packsign cannot use: ${shown}`, {
    hint: 'packsign speaks to http and https proxies; NO_PROXY names hosts to reach without one',
  });
}

/** As curl reads `NO_PROXY`: names cover their subdomains, networks are CIDR, `*` is everything, a port is optional. */
function isDirect(at: URL, list: string): boolean {
  const host = plainHost(at.hostname);
  const port = at.port === '' ? (at.protocol === 'https:' ? '443' : '80') : at.port;
  return list
    .split(/[\s,]+/)
    .filter((entry) => entry !== '')
    .some((entry) => covers(entry, host, port));
}

function covers(entry: string, host: string, port: string): boolean {
  if (entry === '*') return true;
  const [, address, bits] = /^\[?([0-9a-f.:]+)\]?\/(\d{1,3})$/i.exec(entry) ?? [];
  if (address !== undefined) return isInNetwork(host, address, Number(bits));
  const [, name = entry, own] = isIP(entry) === 6 ? [] : (/^(.+?):(\d+)$/.exec(entry) ?? []);
  if (own !== undefined && own !== port) return false;
  const plain = plainHost(name.replace(/^\*?\./, ''));
  return host === plain || (isIP(host) === 0 && host.endsWith(`.${plain}`));
}

function isInNetwork(host: string, address: string, bits: number): boolean {
  const [kind, of] = [isIP(host), isIP(address)];
  if (kind === 0 || kind !== of || bits > (of === 4 ? 32 : 128)) return false;
  const family = of === 4 ? 'ipv4' : 'ipv6';
  const network = new BlockList();
  network.addSubnet(address, bits, family);
  return network.check(host, family);
}

/** Lower case, without the brackets of IPv6 and the dot of a full name. */
function plainHost(name: string): string {
  return name
    .toLowerCase()
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '');
}

/** Where a URL leads, for a request; without a port, Node takes that of the protocol. */
export function hostOf({ hostname, port }: URL): { readonly host: string; readonly port?: string } {
  return { host: hostname.replace(/^\[|\]$/g, ''), ...(port === '' ? {} : { port }) };
}

/** A proxy as messages name it: without credentials. */
export function proxyName({ protocol, host }: URL): string {
  return `the proxy ${protocol}//${host}`;
}

/** The header that tells a proxy who asks; empty without a user name and a password in its address. */
export function proxyAuthorization({ username, password }: URL): Readonly<Record<string, string>> {
  if (username === '' && password === '') return {};
  const text = `${decoded(username)}:${decoded(password)}`;
  return { 'proxy-authorization': `Basic ${Buffer.from(text).toString('base64')}` };
}

/** A `%` that escapes nothing means itself, as in curl. */
function decoded(text: string): string {
  return text.replace(/(?:%[0-9a-f]{2})+/gi, (escaped) =>
    Buffer.from(escaped.replaceAll('%', ''), 'hex').toString(),
  );
}
