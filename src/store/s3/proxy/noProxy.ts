import { BlockList, isIP } from 'node:net';

/**
 * Whether a `NO_PROXY` list names a host. Entries stand between commas or blanks: `*`; a domain, which is meant with all that
 * is below it, with or without a leading dot or `*.`; an address, a range of them (`10.0.0.1-10.0.0.9`) or a network
 * (`10.0.0.0/8`); any of these with a port. Names are not resolved.
 *
 * It takes what curl, Go and Node take; where they differ, the wider meaning.
 */
export function isListed(list: string, hostname: string, port: number): boolean {
  const host = hostname
    .toLowerCase()
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '');
  return list
    .toLowerCase()
    .split(/[\s,]+/)
    .some((entry) => {
      const { name, port: own } = parsed(entry);
      return name !== '' && (own === undefined || own === port) && names(name, host);
    });
}

function parsed(entry: string): { readonly name: string; readonly port?: number } {
  const [, six, plain, port] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(entry) ?? [];
  const name = six ?? plain ?? entry; // an address of IPv6 without brackets has no port
  return port === undefined ? { name } : { name, port: Number(port) };
}

function names(name: string, host: string): boolean {
  if (name === '*') return true;
  if (isIP(host) > 0) return includes(name, host);
  if (name.startsWith('*') && !name.startsWith('*.')) return host.endsWith(name.slice(1));
  const domain = name.replace(/^\*?\./, '').replace(/\.$/, '');
  return host === domain || host.endsWith(`.${domain}`);
}

function includes(entry: string, address: string): boolean {
  const family = (text: string): 'ipv4' | 'ipv6' => (isIP(text) === 6 ? 'ipv6' : 'ipv4');
  const list = new BlockList();
  const [first = '', second] = entry.split(/[/-]/, 2);
  if (isIP(first) === 0) return false;
  try {
    if (second === undefined) list.addAddress(first, family(first));
    else if (entry.includes('/')) list.addSubnet(first, Number(second), family(first));
    else list.addRange(first, second, family(first));
  } catch {
    return false; // a range that ends before it starts, a network that is none
  }
  return list.check(address, family(address));
}
