'use strict';
// Names photos and what a camera sees, by the model in the page: in the page for a phone, and in the report.
(() => {
  // Above what phones and cameras write; the limits of the command too.
  const MIB = 1024 * 1024, MOST_PIXELS = 64 * MIB, MOST_BYTES = 64 * MIB;
  // Bytes at both ends of a file that tell its format, and whether it is whole.
  const HEAD = 32, TAIL = 4096;
  // Bars that are shown.
  const BARS = 5;
  const at = id => document.getElementById(id);
  const video = at('video'), photo = at('photo'), problem = at('problem');
  const facts = new Map();
  let model, stream, generation = 0;
  // Files that were dropped before the model was loaded, and the reason why it never will be.
  let early = [], broken = '';

  // By the index of the label: its text may be cut in the table.
  for (const row of document.querySelectorAll('tr[data-right]'))
    facts.set(Number(row.dataset.label), row.dataset.right);

  // Says what is wrong; brings it into view where the reader's own act caused it.
  function say(text, near = true) {
    problem.textContent = text;
    problem.hidden = !text;
    if (text && near) problem.scrollIntoView({block: 'nearest'});
  }

  // ---- The model.

  class Damaged extends Error {}

  // The bytes of an element, whose checksum is compared.
  async function unpacked(id, what) {
    try {
      const bytes = Uint8Array.from(atob(at(id).textContent), c => c.charCodeAt(0));
      const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate'));
      return new Uint8Array(await new Response(stream).arrayBuffer());
    } catch {
      throw new Damaged(`the ${what} in this page is damaged; copy or make the page again`);
    }
  }

  const TOO_OLD = 'the page needs Chrome 97, Firefox 113, Safari 16.4 or later; open the page in a newer browser';

  async function open() {
    if (typeof WebAssembly !== 'object' || typeof DecompressionStream !== 'function')
      throw Error(`this browser is too old: ${TOO_OLD}`);
    let program;
    try {
      program = await posyEngine.compile(['engine-simd128', 'engine-plain'].map(id => () => unpacked(id, 'engine')));
    } catch (error) {
      if (error instanceof Damaged) throw error;
      throw Error(`this browser does not take the engine (${error.message}): ${TOO_OLD}`);
    }
    const file = await unpacked('model-file', 'model');
    try {
      model = await posyEngine.open(program, file);
    } catch (error) {
      throw Error(`the model in this page: ${error.message}; copy or make the page again`);
    }
  }

  // ---- The answer, shown.

  const percent = score => `${(100 * score).toFixed(1)}%`;
  let spoken = '', spokenAt = -Infinity;

  // Takes the answer away: what it was about is gone.
  function clear() {
    at('top').textContent = '\u2013';
    at('bars').replaceChildren();
    at('why').hidden = true;
    for (const id of ['time', 'spoken']) at(id).textContent = '';
    delete document.body.dataset.outputs;
    [spoken, spokenAt] = ['', -Infinity];
  }

  function show({ranking, unknown, milliseconds, outputs}, note) {
    const top = unknown || !ranking.length ? 'unknown' : ranking[0].label;
    at('top').textContent = top;
    const bars = at('bars');
    const shown = ranking.slice(0, BARS);
    while (bars.children.length > shown.length) bars.lastChild.remove();
    while (bars.children.length < shown.length) {
      const item = document.createElement('li');
      item.innerHTML = '<div class="words"><bdi dir="auto"></bdi><span></span></div>' +
        '<div class="rail" aria-hidden="true"><div></div></div><small></small>';
      bars.append(item);
    }
    shown.forEach(({index, label, score}, place) => {
      const item = bars.children[place];
      item.querySelector('bdi').textContent = label;
      item.querySelector('span').textContent = percent(score);
      item.querySelector('.rail div').style.width = percent(score);
      const fact = facts.get(index);
      item.querySelector('small').textContent = fact ? `test photos named right: ${fact}` : '';
    });
    at('why').hidden = !unknown;
    at('why').textContent = 'Unknown: the picture is too unlike the photos of each label, or no label has a score that is high enough.';
    at('time').textContent = `${milliseconds.toFixed(1)} ms${note}`;
    document.body.dataset.outputs = outputs.join(' ');
    // A screen reader hears an answer when it changes, and no more often than every other second.
    if (top !== spoken && performance.now() - spokenAt > 2000) {
      [spoken, spokenAt] = [top, performance.now()];
      at('spoken').textContent = unknown || !ranking.length ? 'unknown' : `${top}, ${percent(ranking[0].score)}`;
    }
  }

  // ---- Photos.

  function stage(which) {
    for (const element of [video, photo, at('empty')]) element.hidden = element !== which;
  }

  async function extent(url) {
    const image = new Image();
    image.src = url;
    // An image knows its size before it is decoded.
    await new Promise((resolve, reject) => {
      image.onload = resolve;
      image.onerror = () => reject(Error('undecodable'));
    });
    return [image.naturalWidth, image.naturalHeight];
  }

  // One character for each byte of a part of a file.
  async function text(file, from, to) {
    return String.fromCharCode(...new Uint8Array(await file.slice(from, to).arrayBuffer()));
  }

  // HEIF by its brand, of which browsers other than Safari read nothing.
  const heif = head => head.slice(4, 8) === 'ftyp' && /hei[cxms]|hev[cx]|mif1|msf1/.test(head.slice(8));

  // The format of a file that ends before its picture does; '' where that is not the fault.
  async function cut(file, head) {
    const tail = await text(file, Math.max(0, file.size - TAIL), file.size);
    const size = [7, 6, 5, 4].reduce((sum, index) => sum * 256 + head.charCodeAt(index), 0);
    for (const [format, start, whole] of [
      ['JPEG', '\xff\xd8\xff', tail.includes('\xff\xd9')],
      ['PNG', '\x89PNG', tail.includes('IEND')],
      ['GIF', 'GIF8', /;\0*$/.test(tail)],
      ['WebP', 'RIFF', head.slice(8, 12) !== 'WEBP' || file.size >= size + 8],
    ])
      if (head.startsWith(start) && !whole) return format;
    return '';
  }

  // The reason why the browser reads no photo in a file.
  async function fault(file, head, other) {
    const format = await cut(file, head);
    if (format) return `the ${format} ends early, part of the picture is missing; fetch or copy it again`;
    if (heif(head))
      return 'a HEIC photo, which this browser does not read; share or export it as JPEG, or set the camera ' +
        'to “Most Compatible” (iPhone: Settings, Camera, Formats)';
    return other;
  }

  // Names a photo; `rest` says what else was dropped with it.
  async function name(file, rest = '') {
    const mine = ++generation;
    stop();
    say('');
    at('spoken').textContent = '';
    let url;
    try {
      if (file.size > MOST_BYTES)
        throw Error(`the file has ${(Math.ceil(10 * file.size / MIB) / 10).toFixed(1)} MiB, above the limit of ` +
          `${MOST_BYTES / MIB} MiB; make it smaller`);
      let head;
      try {
        head = await text(file, 0, HEAD);
      } catch {
        throw Error('the browser cannot open it: it is a folder, or was moved; choose a photo');
      }
      if (!file.size) throw Error('the file is empty; fetch it again, or choose another photo');
      url = URL.createObjectURL(file);
      let size;
      try {
        size = await extent(url);
      } catch {
        throw Error(await fault(file, head,
          'the browser cannot read it as a photo; choose a JPEG or PNG, or convert it to one'));
      }
      const [width, height] = size;
      if (width * height > MOST_PIXELS)
        throw Error(`${width} x ${height} pixels are above the limit of ${Math.floor(MOST_PIXELS / 1e6)} megapixels; ` +
          'make it smaller');
      let bitmap;
      try {
        // Plain bytes, as a network is trained on: no colour profile is applied.
        bitmap = await createImageBitmap(file, {colorSpaceConversion: 'none'});
      } catch {
        throw Error(await fault(file, head,
          'the browser cannot decode it; save it again as JPEG or PNG, or make it smaller'));
      }
      if (mine !== generation) return bitmap.close();
      const shown = Math.min(1, 1024 / Math.max(bitmap.width, bitmap.height));
      photo.width = Math.max(1, Math.round(bitmap.width * shown));
      photo.height = Math.max(1, Math.round(bitmap.height * shown));
      photo.getContext('2d').drawImage(bitmap, 0, 0, photo.width, photo.height);
      photo.setAttribute('aria-label', `The photo ${file.name}`);
      stage(photo);
      const found = model.answer(bitmap.width, bitmap.height, (context, y) => context.drawImage(bitmap, 0, -y));
      bitmap.close();
      spokenAt = -Infinity;
      spoken = '';
      show(found, `, ${width} x ${height} pixels${rest}`);
    } catch (error) {
      // Meanwhile another photo was chosen, or the camera started.
      if (mine !== generation) return;
      stage(at('empty'));
      clear();
      say(`${file.name}: ${error.message}${rest}`);
    } finally {
      if (url) URL.revokeObjectURL(url);
    }
  }

  // ---- The camera.

  const FROM_FILE = location.protocol === 'file:';
  const HOW = FROM_FILE
    ? 'put the page into a folder, run “python3 -m http.server” there and open http://localhost:8000/; ' +
      'from a phone the address must begin with https'
    : 'open it by an address that begins with https, or on the computer that serves it by http://localhost';

  function refused(error) {
    switch (error.name) {
      case 'NotAllowedError':
      case 'SecurityError':
        return 'The camera may not be used: permission was refused. Allow the camera for this page in the ' +
          'browser’s settings and start it again, or choose a photo.' +
          (FROM_FILE ? ` Some browsers never allow it to a page from a file: ${HOW}.` : '');
      case 'NotFoundError':
      case 'OverconstrainedError':
        return 'No camera was found. Connect one and start it again, or choose a photo.';
      case 'NotReadableError':
        return 'The camera is busy in another program. Close that and start it again, or choose a photo.';
      default:
        return `The camera does not start: ${error.message}. Choose a photo instead.`;
    }
  }

  const ended = found => found.getTracks().forEach(track => track.stop());

  function stop() {
    if (!stream) return;
    ended(stream);
    stream = null;
    video.srcObject = null;
    at('camera').textContent = 'Start camera';
    stage(at('empty'));
    clear();
  }

  async function start() {
    const mine = ++generation;
    say('');
    let found;
    try {
      found = await navigator.mediaDevices.getUserMedia({
        audio: false, video: {facingMode: 'environment', width: {ideal: 640}, height: {ideal: 480}},
      });
      // Meanwhile a photo was chosen, or the button pressed again.
      if (mine !== generation) return ended(found);
      stream = found;
      video.srcObject = found;
      await video.play();
    } catch (error) {
      if (mine !== generation) return;
      stop();
      return say(refused(error));
    }
    if (mine !== generation) return;
    found.getVideoTracks()[0].onended = () => {
      if (stream !== found) return;
      generation++;
      stop();
      say('The camera was unplugged. Connect it and start it again, or choose a photo.');
    };
    at('camera').textContent = 'Stop camera';
    stage(video);
    clear();
    let last = performance.now(), rate = 0;
    const next = run => video.requestVideoFrameCallback ? video.requestVideoFrameCallback(run) : requestAnimationFrame(run);
    const frame = () => {
      if (mine !== generation || !stream) return;
      try {
        const {videoWidth: width, videoHeight: height} = video;
        if (width && height) {
          const found = model.answer(width, height, (context, y) => context.drawImage(video, 0, -y, width, height));
          const now = performance.now();
          rate += 0.1 * (1000 / Math.max(1, now - last) - rate);
          last = now;
          show(found, `, ${rate.toFixed(0)} pictures a second`);
        }
      } catch (error) {
        generation++;
        stop();
        return say(error.message);
      }
      next(frame);
    };
    next(frame);
  }

  // ---- The controls.

  at('camera').onclick = () => {
    if (!stream) return start();
    generation++;
    stop();
  };
  for (const input of [at('pick'), at('take')])
    input.onchange = () => {
      if (input.files[0]) name(input.files[0]);
      input.value = '';
    };
  const over = yes => at('stage').classList.toggle('over', yes);
  addEventListener('dragover', event => {
    event.preventDefault();
    over(true);
  });
  addEventListener('dragleave', () => over(false));
  addEventListener('drop', event => {
    event.preventDefault();
    over(false);
    at('stage').scrollIntoView({block: 'nearest'});
    dropped(event.dataTransfer);
  });

  function dropped({items, files}) {
    const [file] = files;
    if (broken) return say(broken);
    if (!file) return say('What was dropped is no file: save the picture first, or choose one.');
    const [item] = items;
    const entry = item && item.webkitGetAsEntry && item.webkitGetAsEntry();
    if (entry && entry.isDirectory) {
      generation++;
      stop();
      stage(at('empty'));
      clear();
      return say(`${file.name}: is a folder; drop a photo out of it`);
    }
    const rest = files.length > 1
      ? `. The first of ${files.length} files that were dropped: drop the others one at a time.` : '';
    if (model) name(file, rest);
    else early = [file, rest];
  }

  open().then(() => {
    for (const id of ['pick', 'take']) at(id).disabled = false;
    if (matchMedia('(pointer: coarse)').matches) at('take-label').hidden = false;
    if (navigator.mediaDevices && navigator.mediaDevices.getUserMedia) at('camera').disabled = false;
    else {
      at('camera').hidden = true;
      at('take-label').hidden = false;
      at('hint').hidden = false;
      at('hint').textContent = 'This browser gives no live video to a page ' +
        `${FROM_FILE ? 'from a file' : 'from this address'}: take a photo, or ${HOW}.`;
    }
    at('time').textContent = 'Ready.';
    document.body.dataset.state = 'ready';
    if (early.length) name(...early);
  }).catch(error => {
    broken = error.message;
    say(broken, false);
    at('time').textContent = '';
    document.body.dataset.state = 'failed';
  });
})();
