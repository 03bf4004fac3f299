// speedscope.mjs: speedscope's own pprof importer, without its page.
//
// The package is one script for a browser. Its importer is a function in
// there, found by the line that speedscope logs when it has used it; so the script is
// run with one line put in front that hands the importer out, and stops where it
// looks for a document. The version is pinned in package.json.
import fs from 'node:fs';
import path from 'node:path';
import vm from 'node:vm';

export function loadSpeedscope(modules) {
    const folder = path.join(modules, 'speedscope', 'dist', 'release');
    const file = fs.readdirSync(folder).find((name) => /^speedscope-.*\.js$/.test(name));
    const source = fs.readFileSync(path.join(folder, file), 'utf8');
    const importer = /let \w+=(\w+)\(\w+\);if\(\w+\)return console\.log\("Importing as protobuf/.exec(source)?.[1];
    const start = source.indexOf(`function ${importer}(`);
    const prepare = /var [\w,]*?,?(\w+)=\w+\(\(\)=>\{/.exec(source.slice(start))?.[1];
    const head = '"use strict";(()=>{';
    if (!importer || start < 0 || !prepare || !source.startsWith(head))
        throw new Error('speedscope: the importer was not found in its script');
    const context = vm.createContext({ console: { log() {} }, TextDecoder, TextEncoder });
    const handle = `globalThis.readPprof=(bytes)=>{${prepare}();return ${importer}(bytes)};`;
    try {
        vm.runInContext(head + handle + source.slice(head.length), context);
    } catch (error) {
        if (!/document|window/.test(error.message))
            throw error;
    }
    return (bytes) => {
        context.bytes = bytes;
        return vm.runInContext('readPprof(new Uint8Array(bytes).buffer)', context);
    };
}
