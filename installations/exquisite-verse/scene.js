// Exquisite Verse: words of the other city fall in its own script. One that lands on you turns into your language; carry it
// under the glowing gap and stand for a second: it is set. The next gap is theirs. So two cities write one poem.
import { here, there, ours, canvas, draw, ease, gradient, mix, noise, particles, random, sound } from "moongate";

const { width: W, height: H } = canvas;
const LINE_Y = 0.32 * H, SIZE = 86;         // where the line stands, and how large its letters are
const DWELLS = 1, STANDS = 12, RISES = 3;   // seconds under the gap; that a finished line stands, and takes to rise
const AHEAD = 5;                            // lines that are written ahead of a twin that sleeps
const NOTES = [0, 2, 4, 7, 9, 12, 14];      // pentatonic, and one more

// 40 who, 40 what, 40 where: any three of them are a sentence in every language.
const LANGUAGES = ["en", "de", "nl", "sv", "fr", "es", "it", "zh", "ja", "ko", "ar"];
const WORDS = [
`the moon|der Mond|de maan|månen|la lune|la luna|la luna|月亮|月は|달은|القمر
the rain|der Regen|de regen|regnet|la pluie|la lluvia|la pioggia|雨|雨は|비는|المطر
the river|der Fluss|de rivier|floden|la rivière|el río|il fiume|河水|川は|강은|النهر
a bird|ein Vogel|een vogel|en fågel|un oiseau|un pájaro|un uccello|一只鸟|鳥は|새는|الطائر
the lamp|die Lampe|de lamp|lampan|la lampe|la lámpara|la lampada|灯|灯りは|등불은|المصباح
the bread|das Brot|het brood|brödet|le pain|el pan|il pane|面包|パンは|빵은|الخبز
a door|eine Tür|een deur|en dörr|une porte|una puerta|una porta|一扇门|扉は|문은|الباب
the boat|das Boot|de boot|båten|la barque|la barca|la barca|小船|舟は|배는|القارب
the air|die Luft|de lucht|luften|l'air|el aire|l'aria|空气|空気は|공기는|الهواء
the snow|der Schnee|de sneeuw|snön|la neige|la nieve|la neve|雪|雪は|눈은|الثلج
the sea|das Meer|de zee|havet|la mer|el mar|il mare|大海|海は|바다는|البحر
the mountain|der Berg|de berg|berget|la montagne|la montaña|la montagna|山|山は|산은|الجبل
a child|ein Kind|een kind|ett barn|un enfant|un niño|un bambino|孩子|子どもは|아이는|الطفل
the sleep|der Schlaf|de slaap|sömnen|le sommeil|el sueño|il sonno|睡意|眠りは|잠은|النوم
the orchard|der Obstgarten|de boomgaard|fruktträdgården|le verger|el huerto|il frutteto|果园|果樹園は|과수원은|البستان
a bell|eine Glocke|een bel|en klocka|une cloche|una campana|una campana|钟|鐘は|종은|الجرس
the book|das Buch|het boek|boken|le livre|el libro|il libro|书|本は|책은|الكتاب
the bridge|die Brücke|de brug|bron|le pont|el puente|il ponte|桥|橋は|다리는|الجسر
the tea|der Tee|de thee|teet|le thé|el té|il tè|茶|お茶は|차는|الشاي
the smoke|der Rauch|de rook|röken|la fumée|el humo|il fumo|烟|煙は|연기는|الدخان
the light|das Licht|het licht|ljuset|la lumière|la luz|la luce|光|光は|빛은|الضوء
my shadow|mein Schatten|mijn schaduw|min skugga|mon ombre|mi sombra|la mia ombra|我的影子|私の影は|내 그림자는|ظلي
the cat|die Katze|de kat|katten|le chat|el gato|il gatto|猫|猫は|고양이는|القط
a dog|ein Hund|een hond|en hund|un chien|un perro|un cane|一条狗|犬は|개는|الكلب
the horse|das Pferd|het paard|hästen|le cheval|el caballo|il cavallo|马|馬は|말은|الحصان
the guest|der Gast|de gast|gästen|l'invité|el invitado|l'ospite|客人|客は|손님은|الضيف
the dancer|die Tänzerin|de danser|dansaren|la danseuse|la bailarina|la ballerina|舞者|踊り手は|무용수는|الراقص
the baker|der Bäcker|de bakker|bagaren|le boulanger|el panadero|il fornaio|面包师|パン屋は|빵장수는|الخباز
the train|der Zug|de trein|tåget|le train|el tren|il treno|火车|列車は|기차는|القطار
a melody|eine Melodie|een melodie|en melodi|une mélodie|una melodía|una melodia|旋律|旋律は|선율은|اللحن
the dream|der Traum|de droom|drömmen|le rêve|el ensueño|il sogno|梦|夢は|꿈은|الحلم
the summer|der Sommer|de zomer|sommaren|l'été|el verano|l'estate|夏天|夏は|여름은|الصيف
the morning|der Morgen|de ochtend|morgonen|le matin|la mañana|il mattino|清晨|朝は|아침은|الصباح
the evening|der Abend|de avond|kvällen|le soir|la tarde|la sera|傍晚|夕べは|저녁은|المساء
the dust|der Staub|het stof|dammet|la poussière|el polvo|la polvere|尘埃|塵は|먼지는|الغبار
a star|ein Stern|een ster|en stjärna|une étoile|una estrella|una stella|一颗星|星は|별은|النجم
the echo|das Echo|de echo|ekot|l'écho|el eco|l'eco|回声|こだまは|메아리는|الصدى
a stone|ein Stein|een steen|en sten|une pierre|una piedra|una pietra|石头|石は|돌은|الحجر
the thread|der Faden|de draad|tråden|le fil|el hilo|il filo|线|糸は|실은|الخيط
the silence|die Stille|de stilte|tystnaden|le silence|el silencio|il silenzio|寂静|静けさは|고요는|الصمت`,
`waits|wartet|wacht|väntar|attend|espera|aspetta|等待|待つ|기다린다|ينتظر
sings|singt|zingt|sjunger|chante|canta|canta|歌唱|歌う|노래한다|يغني
sleeps|schläft|slaapt|sover|dort|duerme|dorme|睡着|眠る|잠든다|ينام
dances|tanzt|danst|dansar|danse|baila|danza|起舞|踊る|춤춘다|يرقص
grows|wächst|groeit|växer|grandit|crece|cresce|生长|育つ|자란다|ينمو
falls|fällt|valt|faller|tombe|cae|cade|落下|落ちる|떨어진다|يسقط
returns|kehrt zurück|keert terug|återvänder|revient|vuelve|ritorna|归来|帰る|돌아온다|يعود
laughs|lacht|lacht|skrattar|rit|ríe|ride|发笑|笑う|웃는다|يضحك
drifts|treibt|drijft|driver|dérive|flota|fluttua|漂流|漂う|떠돈다|يطفو
glows|glüht|gloeit|glöder|luit|brilla|brilla|发光|光る|빛난다|يتوهج
hides|versteckt sich|verstopt zich|gömmer sig|se cache|se esconde|si nasconde|躲藏|隠れる|숨는다|يختبئ
wakes|erwacht|ontwaakt|vaknar|s'éveille|despierta|si sveglia|醒来|目覚める|깨어난다|يستيقظ
breathes|atmet|ademt|andas|respire|respira|respira|呼吸|息をする|숨쉰다|يتنفس
turns|dreht sich|draait|vänder sig|tourne|gira|gira|转身|回る|돈다|يدور
listens|lauscht|luistert|lyssnar|écoute|escucha|ascolta|倾听|耳を澄ます|귀 기울인다|يصغي
travels|reist|reist|reser|voyage|viaja|viaggia|旅行|旅をする|여행한다|يسافر
hesitates|zögert|aarzelt|tvekar|hésite|duda|esita|犹豫|ためらう|망설인다|يتردد
shimmers|schimmert|glinstert|skimrar|scintille|reluce|luccica|闪烁|きらめく|반짝인다|يتلألأ
knocks|klopft|klopt|knackar|frappe|llama|bussa|敲门|戸を叩く|문을 두드린다|يطرق
swims|schwimmt|zwemt|simmar|nage|nada|nuota|游泳|泳ぐ|헤엄친다|يسبح
rests|ruht|rust|vilar|se repose|descansa|riposa|休息|休む|쉰다|يستريح
whispers|flüstert|fluistert|viskar|murmure|susurra|sussurra|低语|ささやく|속삭인다|يهمس
melts|schmilzt|smelt|smälter|fond|se derrite|si scioglie|融化|溶ける|녹는다|يذوب
rises|steigt auf|stijgt op|stiger|se lève|se eleva|si alza|升起|昇る|떠오른다|يرتفع
wanders|wandert|dwaalt|vandrar|erre|vaga|vaga|徘徊|さまよう|거닌다|يتجول
arrives|kommt an|komt aan|anländer|arrive|llega|arriva|到来|着く|도착한다|يصل
remembers|erinnert sich|herinnert zich|minns|se souvient|recuerda|ricorda|回忆|思い出す|기억한다|يتذكر
forgets|vergisst|vergeet|glömmer|oublie|olvida|dimentica|遗忘|忘れる|잊는다|ينسى
plays|spielt|speelt|leker|joue|juega|gioca|玩耍|遊ぶ|논다|يلعب
trembles|zittert|trilt|darrar|tremble|tiembla|trema|颤抖|震える|떨린다|يرتجف
stays|bleibt|blijft|stannar|reste|se queda|resta|停留|とどまる|머문다|يبقى
burns|brennt|brandt|brinner|brûle|arde|arde|燃烧|燃える|타오른다|يشتعل
flies|fliegt|vliegt|flyger|vole|vuela|vola|飞翔|飛ぶ|난다|يطير
smiles|lächelt|glimlacht|ler|sourit|sonríe|sorride|微笑|微笑む|미소 짓는다|يبتسم
shines|leuchtet|schijnt|lyser|rayonne|resplandece|splende|照耀|輝く|환히 빛난다|يضيء
runs|läuft|rent|springer|court|corre|corre|奔跑|走る|달린다|يركض
vanishes|verschwindet|verdwijnt|försvinner|disparaît|desaparece|svanisce|消失|消える|사라진다|يختفي
begins again|beginnt von vorn|begint opnieuw|börjar om|recommence|empieza de nuevo|ricomincia|重新开始|また始まる|다시 시작한다|يبدأ من جديد
calls us|ruft uns|roept ons|ropar på oss|nous appelle|nos llama|ci chiama|呼唤我们|私たちを呼ぶ|우리를 부른다|ينادينا
keeps watch|hält Wache|houdt de wacht|håller vakt|veille|vela|veglia|守望|見守る|지켜본다|يسهر`,
`under the bridge|unter der Brücke|onder de brug|under bron|sous le pont|bajo el puente|sotto il ponte|在桥下|橋の下で|다리 아래에서|تحت الجسر
in the kitchen|in der Küche|in de keuken|i köket|dans la cuisine|en la cocina|in cucina|在厨房|台所で|부엌에서|في المطبخ
by the window|am Fenster|bij het raam|vid fönstret|près de la fenêtre|junto a la ventana|vicino alla finestra|在窗边|窓辺で|창가에서|عند النافذة
on the roof|auf dem Dach|op het dak|på taket|sur le toit|en el tejado|sul tetto|在屋顶|屋根の上で|지붕 위에서|على السطح
in the square|auf dem Platz|op het plein|på torget|sur la place|en la plaza|in piazza|在广场|広場で|광장에서|في الساحة
behind the door|hinter der Tür|achter de deur|bakom dörren|derrière la porte|detrás de la puerta|dietro la porta|在门后|扉のうしろで|문 뒤에서|خلف الباب
in my sleeve|in meinem Ärmel|in mijn mouw|i min ärm|dans ma manche|en mi manga|nella mia manica|在我的袖中|袖の中で|내 소매 속에서|في كمي
between two cities|zwischen zwei Städten|tussen twee steden|mellan två städer|entre deux villes|entre dos ciudades|tra due città|在两座城之间|二つの町のあいだで|두 도시 사이에서|بين مدينتين
at the harbour|am Hafen|in de haven|i hamnen|au port|en el puerto|al porto|在港口|港で|항구에서|في الميناء
in the rain|im Regen|in de regen|i regnet|sous la pluie|bajo la lluvia|sotto la pioggia|在雨中|雨の中で|빗속에서|تحت المطر
on the stairs|auf der Treppe|op de trap|i trappan|dans l'escalier|en la escalera|sulle scale|在楼梯上|階段で|계단에서|على الدرج
near the fire|nahe am Feuer|bij het vuur|nära elden|près du feu|cerca del fuego|accanto al fuoco|在火边|火のそばで|불 곁에서|قرب النار
in the garden|im Garten|in de tuin|i trädgården|dans le jardin|en el jardín|in giardino|在花园|庭で|정원에서|في الحديقة
at the corner|an der Ecke|op de hoek|i hörnet|au coin de la rue|en la esquina|all'angolo|在街角|街角で|길모퉁이에서|عند الزاوية
under my hat|unter meinem Hut|onder mijn hoed|under min hatt|sous mon chapeau|bajo mi sombrero|sotto il mio cappello|在我的帽子下|帽子の下で|내 모자 아래에서|تحت قبعتي
in the mirror|im Spiegel|in de spiegel|i spegeln|dans le miroir|en el espejo|nello specchio|在镜中|鏡の中で|거울 속에서|في المرآة
above the trees|über den Bäumen|boven de bomen|ovanför träden|au-dessus des arbres|sobre los árboles|sopra gli alberi|在树梢上|木々の上で|나무 위에서|فوق الأشجار
in the market|auf dem Markt|op de markt|på marknaden|au marché|en el mercado|al mercato|在集市|市場で|시장에서|في السوق
on an island|auf einer Insel|op een eiland|på en ö|sur une île|en una isla|su un'isola|在岛上|島で|섬에서|على جزيرة
at the station|am Bahnhof|op het station|på stationen|à la gare|en la estación|alla stazione|在车站|駅で|역에서|في المحطة
in a teacup|in einer Teetasse|in een theekop|i en tekopp|dans une tasse|en una taza|in una tazza|在茶杯里|茶碗の中で|찻잔 속에서|في فنجان
under the table|unter dem Tisch|onder de tafel|under bordet|sous la table|bajo la mesa|sotto il tavolo|在桌下|机の下で|탁자 아래에서|تحت الطاولة
on the horizon|am Horizont|aan de horizon|vid horisonten|à l'horizon|en el horizonte|all'orizzonte|在地平线|地平線で|지평선에서|في الأفق
in the tower|im Turm|in de toren|i tornet|dans la tour|en la torre|nella torre|在塔中|塔の中で|탑 안에서|في البرج
at midnight|um Mitternacht|om middernacht|vid midnatt|à minuit|a medianoche|a mezzanotte|在午夜|真夜中に|한밤중에|عند منتصف الليل
in your hands|in deinen Händen|in jouw handen|i dina händer|entre tes mains|en tus manos|nelle tue mani|在你手中|君の手の中で|네 손안에서|بين يديك
on the last bus|im letzten Bus|in de laatste bus|på sista bussen|dans le dernier bus|en el último autobús|sull'ultimo autobus|在末班车上|最終バスで|막차에서|في آخر حافلة
beyond the wall|jenseits der Mauer|achter de muur|bortom muren|derrière le mur|tras el muro|oltre il muro|在墙的那边|壁の向こうで|담 너머에서|وراء الجدار
in the cellar|im Keller|in de kelder|i källaren|à la cave|en el sótano|in cantina|在地窖|地下室で|지하실에서|في القبو
in the morning fog|im Morgennebel|in de ochtendmist|i morgondimman|dans la brume|en la niebla|nella nebbia|在晨雾中|朝霧の中で|아침 안개 속에서|في ضباب الصباح
under the stars|unter den Sternen|onder de sterren|under stjärnorna|sous les étoiles|bajo las estrellas|sotto le stelle|在星空下|星空の下で|별빛 아래에서|تحت النجوم
at my table|an meinem Tisch|aan mijn tafel|vid mitt bord|à ma table|en mi mesa|alla mia tavola|在我的桌旁|私の食卓で|내 식탁에서|على مائدتي
in the old town|in der Altstadt|in de oude stad|i gamla stan|dans la vieille ville|en la ciudad vieja|nella città vecchia|在老城|旧市街で|옛 시가지에서|في المدينة القديمة
on the water|auf dem Wasser|op het water|på vattnet|sur l'eau|sobre el agua|sull'acqua|在水面|水の上で|물 위에서|على الماء
in the workshop|in der Werkstatt|in de werkplaats|i verkstaden|dans l'atelier|en el taller|in officina|在作坊|工房で|작업실에서|في الورشة
beside you|neben dir|naast jou|bredvid dig|près de toi|a tu lado|accanto a te|在你身旁|君のとなりで|네 곁에서|بجانبك
in the south|im Süden|in het zuiden|i söder|dans le sud|en el sur|a sud|在南方|南で|남쪽에서|في الجنوب
on the other shore|am anderen Ufer|aan de overkant|på andra stranden|sur l'autre rive|en la otra orilla|sull'altra riva|在彼岸|向こう岸で|건너편 기슭에서|على الضفة الأخرى
in an empty room|in einem leeren Zimmer|in een lege kamer|i ett tomt rum|dans une chambre vide|en un cuarto vacío|in una stanza vuota|在空屋里|空き部屋で|빈방에서|في غرفة فارغة
at the end of the street|am Ende der Straße|aan het eind van de straat|i slutet av gatan|au bout de la rue|al final de la calle|in fondo alla strada|在街的尽头|通りの果てで|길 끝에서|في آخر الشارع`,
].map((list) => list.split("\n").map((line) => line.split("|")));
// Where the verb stands last, and what is read from the right.
const VERB_LAST = ["zh", "ja", "ko"], FROM_RIGHT = ["ar"];
const GAPLESS = ["zh", "ja"];

const tongue = (city) => city.language.split("-")[0];
const column = (city) => Math.max(0, LANGUAGES.indexOf(tongue(city)));
const word = (slot, index, city) => WORDS[slot][index % WORDS[slot].length][column(city)];
const order = (city) => (VERB_LAST.includes(tongue(city)) ? [0, 2, 1] : [0, 1, 2]);
const clamp = (v, low = 0, high = 1) => Math.min(high, Math.max(low, v));
const lerp = (a, b, t) => a + (b - a) * t;
const pan = (x) => clamp((2 * x) / W - 1, -1, 1);
const dayOf = (sun) => clamp(((sun.altitude * 180) / Math.PI + 6) / 14);
const note = (x) => 2 ** (NOTES[Math.floor(clamp(x / W, 0, 0.999) * NOTES.length)] / 12);
// About how wide a text is: han, kana and hangul are as wide as they are high.
const wide = (text, size) => size * [...text].reduce((sum, c) => sum + (c.charCodeAt(0) > 0x2e7f ? 1.02 : c === " " ? 0.28 : 0.54), 0);

const snow = particles({ most: 1500, life: [4, 7], size: [7, 5, 3], colour: ["white", "#ffffffaa", "transparent"], gravity: 26, drag: 1.2, wander: 30, lands: "here" });
const falling = []; // { slot, index, x, y, size, turned, on, at, held, swing }
const glints = [];  // { x, y, since, colour }: a word was set
let poem = [], known = -1; // lines as marks have them: of each, three marks or none
let now = 0, next = 0, set = null;

// The first mark for a gap counts; both cities agree which that is.
function read() {
  const marks = ours.words.all();
  if (marks.length === known) return;
  known = marks.length;
  poem = [];
  for (const mark of marks) {
    const { line, slot } = mark;
    if (!Number.isInteger(line) || line < 0 || line > 100000 || ![0, 1, 2].includes(slot) || !Number.isInteger(mark.word)) continue;
    (poem[line] ??= [null, null, null])[slot] ??= mark;
  }
}
// The gaps are filled in one order in both cities: that of the language of side 0. They take turns.
const TURNS = order(here.side === 0 ? here.city : there.city);
const whose = (line, slot) => (line + TURNS.indexOf(slot)) % 2; // the side whose gap it is
const full = (line) => poem[line]?.every(Boolean) ?? false;
const finished = (line) => Math.min(...poem[line].map((mark) => mark.age)); // seconds since its last word

// What the clock here said so many seconds ago.
function hour(age) {
  const minutes = Math.floor((((here.clock.hour * 60 + here.clock.minute - age / 60) % 1440) + 1440) % 1440);
  return `${String(Math.floor(minutes / 60)).padStart(2, "0")}:${String(minutes % 60).padStart(2, "0")}`;
}

/** The line that is written here, and its gap: the next of ours; while they are there, in turn. */
function gap() {
  let first = Math.max(0, poem.length - 8);
  while (full(first)) first++;
  for (let line = first; line < first + AHEAD; line++) {
    for (const slot of TURNS) {
      if (poem[line]?.[slot]) continue;
      const mine = whose(line, slot) === here.side;
      if (there.linked || mine) return { line, slot, mine };
    }
  }
  return { line: first, slot: 0, mine: false };
}

function crowd() { return here.bodies.length + here.touches.length; }

// Words fall: a few, and more for many. For one person they come down where that person is.
function fall(slot, dt) {
  const most = clamp(2 + Math.ceil(crowd() / 5), 3, 9);
  next -= dt;
  if (falling.length >= most || next > 0) return;
  next = lerp(1.6, 0.9, clamp(crowd() / 20));
  const one = here.bodies.length > 0 && here.bodies.length < 4 ? here.bodies[Math.floor(random(here.bodies.length))] : null;
  let x = one && random() < 0.7 ? one.x + random(-90, 90) : random(0.08, 0.92) * W;
  // Not over another one that has just begun to fall.
  for (let i = 0; i < 8 && falling.some((w) => w.y < 200 && Math.abs(w.x - x) < 520); i++) x = random(0.08, 0.92) * W;
  falling.push({ slot, index: Math.floor(random(40)), x: clamp(x, 120, W - 120), y: -60, turned: 0, on: null, held: 0, seed: random(1000), since: now });
}

// Words that fall make room for each other, and stay whole on the canvas: two over each other are none.
function apart(dt) {
  const free = falling.filter((w) => !w.on), half = (w) => wide(word(w.slot, w.index, there.city), SIZE) / 2 + 26;
  for (const a of free) {
    for (const b of free) {
      const room = half(a) + half(b), dx = b.x - a.x, dy = b.y - a.y;
      if (a === b || dy < 0 || dy > 1.3 * SIZE || Math.abs(dx) > room) continue;
      const near = (1 - Math.abs(dx) / room) * dt, aside = (dx === 0 ? 1 : Math.sign(dx)) * 160 * near;
      a.x -= aside;
      b.x += aside;
      a.y -= 60 * dt; // the one above waits
    }
    a.x = clamp(a.x, half(a), W - half(a));
  }
}

// How high somebody is at a place: their head, or an arm held out.
function top(body, x) {
  let y = Infinity;
  for (const [px, py] of body.outline) if (Math.abs(px - x) < 46 && py < y) y = py;
  return y;
}

function land(w) {
  for (const body of here.bodies) {
    const tall = body.foot.y - body.head.y;
    if (Math.abs(w.x - body.x) > 0.42 * tall * Math.sqrt(body.people)) continue;
    const y = top(body, w.x);
    if (y === Infinity || w.y < y - 14 || w.y > y + 60) continue;
    return Object.assign(w, { on: { body, dx: w.x - body.x, since: now } });
  }
  const touch = here.touches.find((t) => Math.hypot(t.x - w.x, t.y - w.y) < 110);
  if (touch) Object.assign(w, { on: { touch: touch.id, since: now } });
}

const style = (colour, size, extra) => ({ size, fill: colour, align: "center", ...extra });

function move(w, goal, dt) {
  w.turned = clamp(w.turned + (w.on ? 2.2 : -1) * dt);
  if (!w.on) {
    w.y += (70 + 26 * noise(w.seed, now * 0.3)) * dt;
    w.x += 26 * noise(w.seed + 9, now * 0.4) * dt;
    if (w.y < 0.92 * H) land(w);
    if (w.on) sound.play("note.wav", { volume: 0.4, pan: pan(w.x), rate: note(w.x) });
    return w.y < H + 60;
  }
  const { body, touch, dx } = w.on;
  if (touch !== undefined) {
    const held = here.touches.find((t) => t.id === touch);
    if (held) [w.x, w.y] = [lerp(w.x, held.x, Math.min(1, 14 * dt)), lerp(w.y, held.y - 40, Math.min(1, 14 * dt))];
    else w.on = null;
  } else if (!here.bodies.includes(body) || Math.hypot(body.vx, body.vy) > 900) w.on = null;
  else {
    const x = body.x + dx, y = top(body, x);
    w.x = lerp(w.x, x, Math.min(1, 12 * dt));
    if (y !== Infinity) w.y = lerp(w.y, y - 16, Math.min(1, 10 * dt));
  }
  // Under the gap, or in it: after a second it is set. The first who dwells wins.
  const there1 = goal.mine && w.slot === goal.slot && Math.abs(w.x - goal.x) < Math.max(150, goal.wide / 2);
  w.held = there1 && w.on ? w.held + dt : Math.max(0, w.held - dt);
  if (w.held >= DWELLS && !set) {
    set = { ...w, from: { x: w.x, y: w.y }, to: goal, since: now };
    ours.words.add({}, { line: goal.line, slot: goal.slot, word: w.index });
    sound.play("set.wav", { volume: 0.7, pan: pan(goal.x) });
    return false;
  }
  return true;
}

// Words that nobody needs any more become snow.
function melt(w, y = 0) {
  const text = word(w.slot, w.index, there.city), half = wide(text, SIZE) / 2;
  snow.emit({ x: [w.x - half, w.x + half], y: [w.y - 40, w.y + y] }, { count: 60, speed: [0, 40] });
}

export function frame(given) {
  now = given.now;
  read();
  const { line, slot, mine } = gap();
  const places = layout(line);
  const goal = { line, slot, mine, ...places[slot] };
  if (set && now - set.since > 1.2) set = null;
  fall(slot, given.dt);
  for (let i = falling.length - 1; i >= 0; i--) {
    const w = falling[i];
    if (w.slot !== slot && !w.melts) w.melts = now + random(1.5);
    if (w.melts && now > w.melts) {
      melt(w);
      falling.splice(i, 1);
    } else if (!move(w, goal, given.dt)) falling.splice(i, 1);
  }
  apart(given.dt);
  paper();
  const done = newest();
  verse(line, places, goal, done);
  people();
  draw.particles(snow);
  for (const w of falling) shown(w);
  flight();
}

// The line that was finished last, while it stands.
let stood = null;
function newest() {
  for (let line = poem.length - 1; line >= Math.max(0, poem.length - 3); line--) {
    if (!full(line)) continue;
    const age = finished(line);
    if (age < STANDS + RISES) {
      if (stood !== line && age < 2) sound.play("done.wav", { volume: 0.7 });
      stood = line;
      return { line, age };
    }
    break;
  }
  return null;
}

function ink() {
  const day = dayOf(here.sun);
  return { day, text: mix("#f2ead8", "#2a2320", day), mine: mix(here.city.colour, day > 0.5 ? "black" : "white", 0.15), theirs: mix(there.city.colour, day > 0.5 ? "black" : "white", 0.15) };
}

// Paper, with the sky of there glowing through from above.
function paper() {
  const day = dayOf(here.sun), t = dayOf(there.sun);
  draw.background(gradient.linear(0, 0, 0, H, [mix("#1a1f3c", "#f6f0e2", day), mix("#0b0c18", "#e6dac2", day)]));
  const glow = day > 0.5 ? mix("#b9c3e6", "#ffe9bd", t) : mix("#3a3f86", "#7fa9e6", t);
  draw.circle(W / 2, -0.1 * H, 0.75 * W, { fill: gradient.radial(W / 2, -0.1 * H, 0.75 * W, [glow, "transparent"]), alpha: there.linked ? 0.6 : 0.2 });
  for (let i = 0; i < 26; i++) {
    const y = ((i * 137.5) % 1) * H + i * 42;
    draw.line(0, y, W, y + 20 * noise(i * 3.1), { stroke: day > 0.5 ? "#b9a98c" : "#8fa0d0", width: 1.5, alpha: 0.06 });
  }
}

// Where the three words of a line stand here, in the order of this language.
function layout(line) {
  const size = SIZE, space = GAPLESS.includes(tongue(here.city)) ? 26 : 40;
  const texts = [0, 1, 2].map((slot) => (poem[line]?.[slot] ? word(slot, poem[line][slot].word, here.city) : null));
  const widths = texts.map((text) => (text === null ? 330 : Math.max(120, wide(text, size))));
  const all = widths[0] + widths[1] + widths[2] + 2 * space;
  const scale = Math.min(1, (0.9 * W) / all), right = FROM_RIGHT.includes(tongue(here.city));
  const places = [];
  let x = W / 2 + ((right ? 1 : -1) * all * scale) / 2;
  for (const slot of order(here.city)) {
    const half = (widths[slot] * scale) / 2;
    x += right ? -half : half;
    places[slot] = { x, y: LINE_Y, wide: 2 * half, text: texts[slot], size: size * scale };
    x += (right ? -1 : 1) * (half + space * scale);
  }
  return places;
}

function verse(line, places, goal, done) {
  const { text, mine, theirs } = ink();
  if (done) {
    // Finished: it stands in both languages, and rises.
    const rise = ease.in(clamp((done.age - STANDS) / RISES)), come = ease.out(clamp(done.age / 1.5));
    const say = (city) => order(city).map((slot) => word(slot, poem[done.line][slot].word, city)).join(GAPLESS.includes(tongue(city)) ? "" : " ");
    const [ours1, theirs1] = [say(here.city), say(there.city)], alpha = come * (1 - rise);
    const fit = (words) => Math.min(92, (0.92 * W * 92) / wide(words, 92));
    const y = LINE_Y - 20 - 260 * rise;
    draw.text(ours1, W / 2, y, style(gradient.linear(0, y - 80, 0, y, ["#ffe9b0", mine]), fit(ours1), { alpha, language: here.city.language }));
    draw.text(theirs1, W / 2, y + 120, style(theirs, 0.8 * fit(theirs1), { alpha, language: there.city.language }));
    return;
  }
  for (const slot of [0, 1, 2]) {
    const place = places[slot], owner = whose(line, slot) === here.side ? mine : theirs, now1 = slot === goal.slot;
    if (place.text !== null && !(set && set.to.line === line && set.to.slot === slot)) {
      draw.text(place.text, place.x, place.y, style(text, place.size, { language: here.city.language }));
      draw.line(place.x - place.wide / 2, place.y + 22, place.x + place.wide / 2, place.y + 22, { stroke: owner, width: 3, alpha: 0.5 });
      continue;
    }
    const pulse = now1 ? 0.65 + 0.35 * Math.sin(now * 2.2) : 0.25;
    const left = place.x - place.wide / 2;
    if (now1) draw.ellipse(place.x, place.y - 20, 0.62 * place.wide, 110, { fill: owner, soft: 150, alpha: 0.42 * pulse });
    draw.line(left + 8, place.y + 22, left + place.wide - 8, place.y + 22, { stroke: owner, width: now1 ? 8 : 4, alpha: pulse });
    if (now1 && goal.mine) {
      // A beam from the gap to the ground: here is where it is to be carried.
      draw.rect(place.x - 120, place.y + 30, 240, H - place.y, { fill: gradient.linear(0, place.y, 0, H, [mine, "transparent"]), alpha: 0.16 * pulse, radius: 60, soft: 60 });
      const held = Math.max(0, ...falling.map((w) => w.held));
      if (held > 0) draw.arc(place.x, place.y - 22, 60, -Math.PI / 2, -Math.PI / 2 + 2 * Math.PI * clamp(held / DWELLS), { stroke: "white", width: 8 });
    } else if (now1) {
      // Theirs to fill: three points, as of somebody who thinks; asleep, they do not move.
      for (let i = 0; i < 3; i++) draw.circle(place.x - 40 + 40 * i, place.y - 20 - (there.linked ? 10 * Math.max(0, Math.sin(now * 3 - i)) : 0), 9, { fill: theirs, alpha: 0.8 });
    }
  }
  // What was written before stands above, faint, with its hour.
  const before = [];
  for (let l = line - 1; l >= 0 && before.length < 3; l--) if (full(l)) before.push(l);
  before.forEach((l, i) => {
    const words = order(here.city).map((slot) => word(slot, poem[l][slot].word, here.city)).join(GAPLESS.includes(tongue(here.city)) ? "" : " ");
    draw.text(`${hour(finished(l))}   ${words}`, W / 2, LINE_Y - 128 - 50 * i, style(text, 30, { weight: 300, alpha: 0.5 - 0.14 * i, language: here.city.language }));
  });
}

function people() {
  const { day, mine, theirs } = ink();
  const ground = mix("#05060c", "#3a322c", day);
  for (const b of there.bodies) draw.body(b, { fill: theirs, pattern: "lines", soft: 6, alpha: 0.28 });
  for (const b of here.bodies) {
    draw.body(b, { fill: mine, soft: 22, alpha: 0.35 });
    draw.body(b, { fill: ground, stroke: mine, width: 3, soft: 3, alpha: 0.92 });
  }
  // A finger is a light that words come to rest on; it comes and goes gently.
  draw.trail("fingers", { fade: 0.7 }, () => {
    for (const { site, colour } of [{ site: there, colour: theirs }, { site: here, colour: mine }]) {
      for (const t of site.touches) draw.circle(t.x, t.y, 90, { fill: colour, soft: 120, alpha: (site === here ? 0.2 : 0.1) / (1 + site.touches.length / 4) });
    }
  });
  for (const t of here.touches) draw.circle(t.x, t.y, 34, { fill: "transparent", stroke: mine, width: 6, alpha: Math.min(0.9, 3 * t.age) });
}

// A word: in their script while it falls, in ours on somebody; in between it turns over.
function shown(w) {
  const { mine, theirs, day } = ink();
  const ours1 = w.turned > 0.5, city = ours1 ? here.city : there.city;
  const flip = Math.abs(Math.cos(Math.PI * w.turned)), size = ours1 ? 60 : SIZE;
  const alpha = clamp((now - w.since) * 2) * (w.melts ? clamp((w.melts - now) * 2) : 1);
  const text = word(w.slot, w.index, city), half = wide(text, size) / 2 + 26;
  draw.push();
  draw.translate(clamp(w.x, half, W - half), w.y);
  draw.rotate(w.on ? 0 : 0.06 * noise(w.seed, now * 0.5));
  draw.scale(1, Math.max(0.04, flip));
  draw.rect(-half, -size * 0.92, 2 * half, size * 1.3, { fill: day > 0.5 ? "#fffaf0" : "#0b0c1a", radius: 50, soft: 60, alpha: 0.5 * alpha });
  draw.text(text, 0, 0, style(ours1 ? mine : theirs, size, { alpha, weight: 600, language: city.language }));
  draw.pop();
}

// The word flies up into its gap.
function flight() {
  if (!set) return;
  const t = ease.inOut(clamp((now - set.since) / 0.9)), { mine } = ink();
  const text = word(set.slot, set.index, here.city);
  const x = lerp(set.from.x, set.to.x, t), y = lerp(set.from.y, set.to.y, t) - 120 * Math.sin(Math.PI * t);
  draw.circle(x, y - 20, 120, { fill: gradient.radial(x, y - 20, 120, [mine, "transparent"]), alpha: 0.6 });
  draw.text(text, x, y, style("white", lerp(60, set.to.size ?? SIZE, t), { language: here.city.language }));
}
