import { isBlank } from '../model/text.js';
import { isNotifyAddress, isPlaceAddress, isWebAddress } from '../model/web-address.js';
import { text } from './elements.js';

// Texts of a database and of the settings (docs/FORMAT.md §2), by one rule in both.

/** More than white space, of which PackMan makes nothing and fails. */
export const filled = text((value) => (isBlank(value) ? 'expected text' : null));

export const webAddress = text((value) => (isWebAddress(value) ? null : 'expected an http or https address'));

/** The address of a database or of a folder. */
export const placeAddress = text((value) =>
  isPlaceAddress(value) ? null : 'expected an http or https address without user name, ? and #',
);

export const notifyAddress = text((value) =>
  isNotifyAddress(value) ? null : 'expected mailto: and a mail address, or an https address',
);
