import { BlockList, isIP } from 'node:net';

/**
 * Whether a `NO_PROXY` list matches a host. Entries are separated by commas or spaces: `*`; a domain, which includes its
 * subdomains, with or without a leading dot or `*.`; an address, a range (`10.0.0.1-10.0.0.9`) or a network (`10.0.0.0/8`);
 * any of these with a port. Names are not resolved.
 *
 * Accepts the syntax of curl, Go and Node; where they differ, the wider meaning.
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
  const name = six ?? plain ?? entry; // an IPv6 address without brackets has no port
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
    return false; // an invalid range or network
  }
  return list.check(address, family(address));
}
