import fc from 'fast-check';
import { isListed } from '../../../../src/store/s3/proxy/noProxy.js';

const yes = true;
const no = false;

test.each([
  ['', 'a.test', no],
  ['*', 'a.test', yes],
  ['b.test, *', '10.0.0.1', yes],
  ['a.test', 'a.test', yes],
  ['a.test', 'A.Test.', yes],
  ['A.TEST.', 'a.test', yes],
  ['a.test', 'b.a.test', yes],
  ['a.test', 'ba.test', no],
  ['a.test', 'a.test.evil', no],
  ['.a.test', 'a.test', yes],
  ['.a.test', 'lake.s3.a.test', yes],
  ['*.a.test', 'b.a.test', yes],
  ['*.a.test', 'ba.test', no],
  ['*a.test', 'ba.test', yes],
  ['x.test,a.test', 'a.test', yes],
  ['x.test a.test', 'a.test', yes],
  [' x.test ,, a.test ', 'a.test', yes],
  ['localhost', 'localhost', yes],
  ['localhost', '127.0.0.1', no],
  ['127.0.0.1', '127.0.0.1', yes],
  ['127.0.0.1', '127.0.0.11', no],
  ['10.0.0.0/8', '10.200.3.4', yes],
  ['10.0.0.0/8', '11.0.0.1', no],
  ['10.0.0.0/99', '10.0.0.1', no],
  ['10.0.0.0/8', '10.test', no],
  ['192.168.1.1-192.168.1.9', '192.168.1.9', yes],
  ['192.168.1.1-192.168.1.9', '192.168.1.10', no],
  ['192.168.1.9-192.168.1.1', '192.168.1.5', no],
  ['my-host.test', 'my-host.test', yes],
  ['0.0.1', '10.0.0.1', no],
  ['::1', '[::1]', yes],
  ['[::1]', '::1', yes],
  ['0:0:0:0:0:0:0:1', '::1', yes],
  ['fd00::/8', '[fd12::1]', yes],
  ['fd00::/8', 'fe80::1', no],
  ['::1', '127.0.0.1', no],
])('%j and %s: %j', (list, host, listed) => {
  expect(isListed(list, host, 443)).toBe(listed);
});

test.each([
  ['a.test:443', 'a.test', yes],
  ['a.test:80', 'a.test', no],
  ['.a.test:443', 'b.a.test', yes],
  ['*:443', 'a.test', yes],
  ['10.0.0.1:443', '10.0.0.1', yes],
  ['10.0.0.1:444', '10.0.0.1', no],
  ['10.0.0.0/8:443', '10.1.1.1', yes],
  ['[::1]:443', '::1', yes],
  ['[::1]:444', '::1', no],
])('%j and port 443 of %s: %j', (list, host, listed) => {
  expect(isListed(list, host, 443)).toBe(listed);
});

test('a domain covers its subdomains, and nothing else, whatever else is in the list', () => {
  const label = fc.stringMatching(/^[a-z][a-z0-9]{0,5}$/);
  const domain = fc.array(label, { minLength: 1, maxLength: 3 }).map((labels) => labels.join('.'));
  fc.assert(
    fc.property(
      domain,
      domain,
      fc.string({ maxLength: 8 }),
      fc.constantFrom('', '.', '*.'),
      (host, entry, noise, dot) => {
        fc.pre(!/[*\s,]/.test(noise) && !host.includes(noise.replace(/^\./, '').toLowerCase() || '-'));
        const below = host === entry || host.endsWith(`.${entry}`);
        expect(isListed(`${noise},${dot}${entry}`, host, 80)).toBe(below);
      },
    ),
  );
});
