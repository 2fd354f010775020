/** The grammar of the addresses in a database (docs/FORMAT.md §2). It takes nothing that `new URL` would refuse. */

const LABEL = '[A-Za-z0-9_-]+';
/** A last label of digits, or after `0x`, would be read as a number: such a host has to be a whole IPv4 address. */
const NAME = `(?:${LABEL}\\.)*(?!(?:[0-9]+|0[xX][A-Za-z0-9_-]*)(?![A-Za-z0-9_-]))${LABEL}`;
const BYTE = '(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])';
const IPV4 = `${BYTE}(?:\\.${BYTE}){3}`;
const IPV6 = '\\[[0-9A-Fa-f:.]+\\]';
const PORT = '(?:6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{1,3}|[1-9])';
const SITE = `https?://(?:${IPV4}|${NAME}|${IPV6})(?::${PORT})?`;

/** Printable ASCII without `\`, which some parsers take for `/`; and the same without `?` and `#`. */
const [ANY, IN_PATH] = ['[!-[\\]-~]', '[!"$->@-[\\]-~]'];

const WEB_ADDRESS = new RegExp(`^${SITE}(?:[/?#]${ANY}*)?$`);
const PLACE_ADDRESS = new RegExp(`^${SITE}(?:/${IN_PATH}*)?$`);
const MAIL_ADDRESS = new RegExp(`^mailto:[A-Za-z0-9.!$%&'*+=^_{|}~-]+@${NAME}(?:\\?${ANY}*)?$`);
/** Only `new URL` knows whether IPv6 addresses and internationalized names are sound. */
const NEEDS_PARSER = /^https?:\/\/(?:\[|[^/?#]*xn--)/i;

/** Browsers open no longer addresses. */
export const ADDRESS_LIMIT = 2048;

/** Whether text is a web address, as of a home page. */
export function isWebAddress(text: string): boolean {
  return WEB_ADDRESS.test(text) && isParsed(text);
}

/** Whether text is the address of a place: of a database or of a folder, without query and fragment. */
export function isPlaceAddress(text: string): boolean {
  return PLACE_ADDRESS.test(text) && isParsed(text);
}

/** Whether people can be told to report to an address: one by https, or `mailto:` and one mail address. */
export function isNotifyAddress(text: string): boolean {
  return text.startsWith('https:') ? isWebAddress(text) : MAIL_ADDRESS.test(text);
}

function isParsed(text: string): boolean {
  return !NEEDS_PARSER.test(text) || URL.canParse(text);
}
