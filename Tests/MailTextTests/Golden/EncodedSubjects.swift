// swift-format-ignore-file

/// Receipt subjects as their languages' mail programs encode them, in several charsets, folded as
/// Postfix logs it; each is three lines: kind, logged text, decoded text.
///
/// Made once by Python 3.11: prefixes of `ReceiptPrefixes`, words encoded by its codecs, and the
/// decoded text checked against `email.header.decode_header` before the folds became `? ` and `??`.
let encodedSubjectsGolden = #"""
    not-read
    =?utf-8?b?Tm90IHJlYWQ6IE5vdCAxLDAwMCBA?=
    Not read: Not 1,000 @
    not-read
    =?us-ascii?Q?Not_read=3A_Not?=??=?us-ascii?Q?_1=2C000_=40?=
    Not read: Not 1,000 @
    not-read
    =?utf-16?B?//5OAG8AdAAgAHIAZQBhAGQAOgAgAE4AbwB0ACAAMQAsADAAMAAwACAAQAA=?=
    Not read: Not 1,000 @
    read
    =?utf-8?B?UmVhZDogUmVhZCAxLDAwMCBA?=
    Read: Read 1,000 @
    read
    =?us-ascii?b?UmVhZDogUmVhZCAxLA==?=? =?us-ascii?b?MDAwIEA=?=
    Read: Read 1,000 @
    read
    =?utf-16?B?//5SAGUAYQBkADoAIABSAGUAYQBkACAAMQAsADAAMAAwACAAQAA=?=
    Read: Read 1,000 @
    not-read
    =?utf-8?q?Nicht_gelesen=3A_Nicht_1=2C000_=40?=
    Nicht gelesen: Nicht 1,000 @
    not-read
    =?iso-8859-1?B?TmljaHQgZ2VsZXNlbg==?=??=?iso-8859-1?B?OiBOaWNodCAxLDAwMA==?=??=?iso-8859-1?B?IEA=?=
    Nicht gelesen: Nicht 1,000 @
    not-read
    =?utf-7?b?TmljaHQgZ2Vs?=? =?utf-7?b?ZXNlbjogTmlj?=? =?utf-7?b?aHQgMSwwMDAg?=? =?utf-7?b?QA==?=
    Nicht gelesen: Nicht 1,000 @
    not-read
    =?utf-8?Q?Ungelesen=3A_Ungelesen_1=2C000_=40?=
    Ungelesen: Ungelesen 1,000 @
    not-read
    =?iso-8859-1?q?Ungelesen=3A_Un?=? =?iso-8859-1?q?gelesen_1=2C000?=? =?iso-8859-1?q?_=40?=
    Ungelesen: Ungelesen 1,000 @
    not-read
    =?utf-7?B?VW5nZWxlc2Vu?=??=?utf-7?B?OiBVbmdlbGVz?=??=?utf-7?B?ZW4gMSwwMDAg?=??=?utf-7?B?QA==?=
    Ungelesen: Ungelesen 1,000 @
    read
    =?utf-8?b?R2VsZXNlbjogR2VsZXNlbiAxLDAwMCBA?=
    Gelesen: Gelesen 1,000 @
    read
    =?iso-8859-1?Q?Gelesen=3A_Gele?=??=?iso-8859-1?Q?sen_1=2C000_=40?=
    Gelesen: Gelesen 1,000 @
    read
    =?utf-7?q?Gelesen=3A_?=? =?utf-7?q?Gelesen_1?=? =?utf-7?q?=2C000_=40?=
    Gelesen: Gelesen 1,000 @
    not-read
    =?utf-8?B?Tm9uIGx1OiBOb24gMSwwMDAgQA==?=
    Non lu: Non 1,000 @
    not-read
    =?iso-8859-15?b?Tm9uIGx1OiBOb24gMQ==?=? =?iso-8859-15?b?LDAwMCBA?=
    Non lu: Non 1,000 @
    read
    =?utf-8?Q?Lu=3A_Lu_1=2C?=??=?utf-8?Q?000_=40?=
    Lu: Lu 1,000 @
    read
    =?iso-8859-15?q?Lu=3A_Lu_1=2C000_=40?=
    Lu: Lu 1,000 @
    not-read
    =?utf-8?B?Tm8gbGXDrWRvOiBObyA=?=??=?utf-8?B?MSwwMDAgQA==?=
    No leído: No 1,000 @
    not-read
    =?windows-1252?b?Tm8gbGXtZG86?=? =?windows-1252?b?IE5vIDEsMDAw?=? =?windows-1252?b?IEA=?=
    No leído: No 1,000 @
    not-read
    =?iso-8859-1?Q?No_le=EDdo=3A_No_1=2C000_=40?=
    No leído: No 1,000 @
    read
    =?utf-8?q?Le=C3=ADdo=3A_Le=C3=ADdo_?=? =?utf-8?q?1=2C000_=40?=
    Leído: Leído 1,000 @
    read
    =?windows-1252?B?TGXtZG86IExl?=??=?windows-1252?B?7WRvIDEsMDAw?=??=?windows-1252?B?IEA=?=
    Leído: Leído 1,000 @
    read
    =?iso-8859-1?b?TGXtZG86IExl7WRvIDEsMDAwIEA=?=
    Leído: Leído 1,000 @
    not-read
    =?utf-8?Q?Non_letto=3A_No?=??=?utf-8?Q?n_1=2C000_=40?=
    Non letto: Non 1,000 @
    not-read
    =?iso-8859-1?q?Non_letto?=? =?iso-8859-1?q?=3A_Non_1=2C0?=? =?iso-8859-1?q?00_=40?=
    Non letto: Non 1,000 @
    read
    =?utf-8?B?TGV0dG86IExldHRvIDEsMDAwIEA=?=
    Letto: Letto 1,000 @
    read
    =?iso-8859-1?b?TGV0dG86IExldHRvIA==?=? =?iso-8859-1?b?MSwwMDAgQA==?=
    Letto: Letto 1,000 @
    not-read
    =?utf-8?Q?N=C3=A3o_lida=3A?=??=?utf-8?Q?_N=C3=A3o_1=2C00?=??=?utf-8?Q?0_=40?=
    Não lida: Não 1,000 @
    not-read
    =?iso-8859-1?q?N=E3o_lida=3A_N=E3o_1=2C000_=40?=
    Não lida: Não 1,000 @
    not-read
    =?utf-8?B?TsOjbyBsaWRvOiBOw6Nv?=??=?utf-8?B?IDEsMDAwIEA=?=
    Não lido: Não 1,000 @
    not-read
    =?iso-8859-1?b?TuNvIGxpZG86?=? =?iso-8859-1?b?IE7jbyAxLDAw?=? =?iso-8859-1?b?MCBA?=
    Não lido: Não 1,000 @
    read
    =?utf-8?Q?Lida=3A_Lida_1=2C000_=40?=
    Lida: Lida 1,000 @
    read
    =?iso-8859-1?q?Lida=3A_Lida_1=2C?=? =?iso-8859-1?q?000_=40?=
    Lida: Lida 1,000 @
    read
    =?utf-8?B?TGlkbzogTGlk?=??=?utf-8?B?byAxLDAwMCBA?=
    Lido: Lido 1,000 @
    read
    =?iso-8859-1?b?TGlkbzogTGlkbyAxLDAwMCBA?=
    Lido: Lido 1,000 @
    not-read
    =?utf-8?Q?Niet_gelezen=3A?=??=?utf-8?Q?_Niet_1=2C000_=40?=
    Niet gelezen: Niet 1,000 @
    not-read
    =?iso-8859-1?q?Niet_gele?=? =?iso-8859-1?q?zen=3A_Niet?=? =?iso-8859-1?q?_1=2C000_=40?=
    Niet gelezen: Niet 1,000 @
    not-read
    =?utf-8?B?T25nZWxlemVuOiBPbmdlbGV6ZW4gMSwwMDAgQA==?=
    Ongelezen: Ongelezen 1,000 @
    not-read
    =?iso-8859-1?b?T25nZWxlemVuOiBPbg==?=? =?iso-8859-1?b?Z2VsZXplbiAxLDAwMA==?=? =?iso-8859-1?b?IEA=?=
    Ongelezen: Ongelezen 1,000 @
    read
    =?utf-8?Q?Gelezen=3A_?=??=?utf-8?Q?Gelezen_1?=??=?utf-8?Q?=2C000_=40?=
    Gelezen: Gelezen 1,000 @
    read
    =?iso-8859-1?q?Gelezen=3A_Gelezen_1=2C000_=40?=
    Gelezen: Gelezen 1,000 @
    not-read
    =?utf-8?B?RWogbMOkc3Q6IEVqIDE=?=??=?utf-8?B?LDAwMCBA?=
    Ej läst: Ej 1,000 @
    not-read
    =?iso-8859-1?b?RWogbORzdDog?=? =?iso-8859-1?b?RWogMSwwMDAg?=? =?iso-8859-1?b?QA==?=
    Ej läst: Ej 1,000 @
    not-read
    =?cp850?Q?Ej_l=84st=3A_Ej_1=2C000_=40?=
    Ej läst: Ej 1,000 @
    not-read
    =?utf-8?q?Ol=C3=A4st=3A_Ol=C3=A4st_?=? =?utf-8?q?1=2C000_=40?=
    Oläst: Oläst 1,000 @
    not-read
    =?iso-8859-1?B?T2zkc3Q6IE9s?=??=?iso-8859-1?B?5HN0IDEsMDAw?=??=?iso-8859-1?B?IEA=?=
    Oläst: Oläst 1,000 @
    not-read
    =?cp850?b?T2yEc3Q6IE9shHN0IDEsMDAwIEA=?=
    Oläst: Oläst 1,000 @
    read
    =?utf-8?Q?L=C3=A4st=3A_L=C3=A4st_1=2C?=??=?utf-8?Q?000_=40?=
    Läst: Läst 1,000 @
    read
    =?iso-8859-1?q?L=E4st=3A_L=E4s?=? =?iso-8859-1?q?t_1=2C000_=40?=
    Läst: Läst 1,000 @
    read
    =?cp850?B?TIRzdDogTIRzdCAxLDAwMCBA?=
    Läst: Läst 1,000 @
    not-read
    =?utf-8?b?SWtrZSBsw6ZzdDogSWs=?=? =?utf-8?b?a2UgMSwwMDAgQA==?=
    Ikke læst: Ikke 1,000 @
    not-read
    =?iso-8859-1?Q?Ikke_l=E6st?=??=?iso-8859-1?Q?=3A_Ikke_1=2C?=??=?iso-8859-1?Q?000_=40?=
    Ikke læst: Ikke 1,000 @
    not-read
    =?utf-8?q?Ul=C3=A6st=3A_Ul=C3=A6st_1=2C000_=40?=
    Ulæst: Ulæst 1,000 @
    not-read
    =?iso-8859-1?B?VWzmc3Q6IFVs5nN0IA==?=??=?iso-8859-1?B?MSwwMDAgQA==?=
    Ulæst: Ulæst 1,000 @
    read
    =?utf-8?b?TMOmc3Q6IEzDpnM=?=? =?utf-8?b?dCAxLDAwMCBA?=
    Læst: Læst 1,000 @
    read
    =?iso-8859-1?Q?L=E6st=3A_L=E6st_1=2C000_=40?=
    Læst: Læst 1,000 @
    not-read
    =?utf-8?q?Ikke_lest=3A_Ik?=? =?utf-8?q?ke_1=2C000_=40?=
    Ikke lest: Ikke 1,000 @
    not-read
    =?iso-8859-1?B?SWtrZSBsZXN0?=??=?iso-8859-1?B?OiBJa2tlIDEs?=??=?iso-8859-1?B?MDAwIEA=?=
    Ikke lest: Ikke 1,000 @
    not-read
    =?utf-8?b?VWxlc3Q6IFVsZXN0IDEsMDAwIEA=?=
    Ulest: Ulest 1,000 @
    not-read
    =?iso-8859-1?Q?Ulest=3A_Ulest_?=??=?iso-8859-1?Q?1=2C000_=40?=
    Ulest: Ulest 1,000 @
    read
    =?utf-8?q?Lest=3A_Les?=? =?utf-8?q?t_1=2C000_=40?=
    Lest: Lest 1,000 @
    read
    =?iso-8859-1?B?TGVzdDogTGVzdCAxLDAwMCBA?=
    Lest: Lest 1,000 @
    not-read
    =?utf-8?b?RWkgbHVldHR1OiBFaQ==?=? =?utf-8?b?IDEsMDAwIEA=?=
    Ei luettu: Ei 1,000 @
    not-read
    =?iso-8859-1?Q?Ei_luettu?=??=?iso-8859-1?Q?=3A_Ei_1=2C00?=??=?iso-8859-1?Q?0_=40?=
    Ei luettu: Ei 1,000 @
    not-read
    =?utf-8?q?Lukematta=3A_Lukematta_1=2C000_=40?=
    Lukematta: Lukematta 1,000 @
    not-read
    =?iso-8859-1?B?THVrZW1hdHRhOiBMdQ==?=??=?iso-8859-1?B?a2VtYXR0YSAxLDAwMA==?=??=?iso-8859-1?B?IEA=?=
    Lukematta: Lukematta 1,000 @
    read
    =?utf-8?b?THVldHR1OiBM?=? =?utf-8?b?dWV0dHUgMSww?=? =?utf-8?b?MDAgQA==?=
    Luettu: Luettu 1,000 @
    read
    =?iso-8859-1?Q?Luettu=3A_Luettu_1=2C000_=40?=
    Luettu: Luettu 1,000 @
    not-read
    =?utf-8?q?Nie_przeczyta?=? =?utf-8?q?no=3A_Nie_1=2C000?=? =?utf-8?q?_=40?=
    Nie przeczytano: Nie 1,000 @
    not-read
    =?iso-8859-2?B?TmllIHByemVj?=??=?iso-8859-2?B?enl0YW5vOiBO?=??=?iso-8859-2?B?aWUgMSwwMDAg?=??=?iso-8859-2?B?QA==?=
    Nie przeczytano: Nie 1,000 @
    not-read
    =?utf-8?b?TmllcHJ6ZWN6eXRhbmU6IE5pZXByemVjenl0YW5lIDEsMDAwIEA=?=
    Nieprzeczytane: Nieprzeczytane 1,000 @
    not-read
    =?iso-8859-2?Q?Nieprzeczytan?=??=?iso-8859-2?Q?e=3A_Nieprzeczy?=??=?iso-8859-2?Q?tane_1=2C000_=40?=
    Nieprzeczytane: Nieprzeczytane 1,000 @
    read
    =?utf-8?q?Przeczyta?=? =?utf-8?q?no=3A_Przec?=? =?utf-8?q?zytano_1=2C?=? =?utf-8?q?000_=40?=
    Przeczytano: Przeczytano 1,000 @
    read
    =?iso-8859-2?B?UHJ6ZWN6eXRhbm86IFByemVjenl0YW5vIDEsMDAwIEA=?=
    Przeczytano: Przeczytano 1,000 @
    read
    =?utf-8?b?T2Rjenl0YW5vOiBPZA==?=? =?utf-8?b?Y3p5dGFubyAxLDAwMA==?=? =?utf-8?b?IEA=?=
    Odczytano: Odczytano 1,000 @
    read
    =?iso-8859-2?Q?Odczytano?=??=?iso-8859-2?Q?=3A_Odczyta?=??=?iso-8859-2?Q?no_1=2C000_?=??=?iso-8859-2?Q?=40?=
    Odczytano: Odczytano 1,000 @
    not-read
    =?utf-8?q?Nep=C5=99e=C4=8Dteno=3A_Nep=C5=99e=C4=8Dteno_1=2C000_=40?=
    Nepřečteno: Nepřečteno 1,000 @
    not-read
    =?windows-1250?B?TmVw+GXodGVubzogTg==?=??=?windows-1250?B?ZXD4Zeh0ZW5vIDEsMA==?=??=?windows-1250?B?MDAgQA==?=
    Nepřečteno: Nepřečteno 1,000 @
    read
    =?utf-8?b?UMWZZcSNdGVubzo=?=? =?utf-8?b?IFDFmWXEjXRlbm8=?=? =?utf-8?b?IDEsMDAwIEA=?=
    Přečteno: Přečteno 1,000 @
    read
    =?windows-1250?Q?P=F8e=E8teno=3A_P=F8e=E8teno_1=2C000_=40?=
    Přečteno: Přečteno 1,000 @
    not-read
    =?utf-8?q?Nepre=C4=8D=C3=ADtan=C3=A9=3A_?=? =?utf-8?q?Nepre=C4=8D=C3=ADtan=C3=A9_1?=? =?utf-8?q?=2C000_=40?=
    Neprečítané: Neprečítané 1,000 @
    not-read
    =?iso-8859-2?B?TmVwcmXo7XRh?=??=?iso-8859-2?B?buk6IE5lcHJl?=??=?iso-8859-2?B?6O10YW7pIDEs?=??=?iso-8859-2?B?MDAwIEA=?=
    Neprečítané: Neprečítané 1,000 @
    read
    =?utf-8?b?UHJlxI3DrXRhbsOpOiBQcmXEjcOtdGFuw6kgMSwwMDAgQA==?=
    Prečítané: Prečítané 1,000 @
    read
    =?iso-8859-2?Q?Pre=E8=EDtan=E9=3A_Pr?=??=?iso-8859-2?Q?e=E8=EDtan=E9_1=2C000?=??=?iso-8859-2?Q?_=40?=
    Prečítané: Prečítané 1,000 @
    not-read
    =?utf-8?q?Olvasatla?=? =?utf-8?q?n=3A_Olvasa?=? =?utf-8?q?tlan_1=2C00?=? =?utf-8?q?0_=40?=
    Olvasatlan: Olvasatlan 1,000 @
    not-read
    =?iso-8859-2?B?T2x2YXNhdGxhbjogT2x2YXNhdGxhbiAxLDAwMCBA?=
    Olvasatlan: Olvasatlan 1,000 @
    read
    =?utf-8?b?RWxvbHZhc3ZhOiBFbA==?=? =?utf-8?b?b2x2YXN2YSAxLDAwMA==?=? =?utf-8?b?IEA=?=
    Elolvasva: Elolvasva 1,000 @
    read
    =?iso-8859-2?Q?Elolvasva?=??=?iso-8859-2?Q?=3A_Elolvas?=??=?iso-8859-2?Q?va_1=2C000_?=??=?iso-8859-2?Q?=40?=
    Elolvasva: Elolvasva 1,000 @
    not-read
    =?utf-8?q?Necitit=3A_Necitit_1=2C000_=40?=
    Necitit: Necitit 1,000 @
    not-read
    =?iso-8859-16?B?TmVjaXRpdDogTmVjaQ==?=??=?iso-8859-16?B?dGl0IDEsMDAwIEA=?=
    Necitit: Necitit 1,000 @
    read
    =?utf-8?b?Q2l0aXQ6IENp?=? =?utf-8?b?dGl0IDEsMDAw?=? =?utf-8?b?IEA=?=
    Citit: Citit 1,000 @
    read
    =?iso-8859-16?Q?Citit=3A_Citit_1=2C000_=40?=
    Citit: Citit 1,000 @
    not-read
    =?utf-8?q?=D0=9D=D0=B5_=D0=BF=D1=80=D0=BE=D1=87=D0=B8=D1=82=D0=B0=D0=BD=D0=BE=3A?=? =?utf-8?q?_=D0=9D=D0=B5_1=2C000_=40?=
    Не прочитано: Не 1,000 @
    not-read
    =?koi8-r?B?7sUg0NLP3snU?=??=?koi8-r?B?wc7POiDuxSAx?=??=?koi8-r?B?LDAwMCBA?=
    Не прочитано: Не 1,000 @
    not-read
    =?windows-1251?b?zeUg7/Du9+jy4O3uOiDN5SAxLDAwMCBA?=
    Не прочитано: Не 1,000 @
    not-read
    =?iso-8859-5?Q?=BD=D5_=DF=E0=DE=E7=D8=E2=D0=DD=DE=3A?=??=?iso-8859-5?Q?_=BD=D5_1=2C000_=40?=
    Не прочитано: Не 1,000 @
    not-read
    =?utf-8?q?=D0=9D=D0=B5_=D0=BF=D1=80=D0=BE=D1=87=D1=82=D0=B5?=? =?utf-8?q?=D0=BD=D0=BE=3A_=D0=9D=D0=B5_1=2C?=? =?utf-8?q?000_=40?=
    Не прочтено: Не 1,000 @
    not-read
    =?koi8-r?B?7sUg0NLP3tTFzs86IO7FIDEsMDAwIEA=?=
    Не прочтено: Не 1,000 @
    not-read
    =?windows-1251?b?zeUg7/Du9/Ll7e46IA==?=? =?windows-1251?b?zeUgMSwwMDAgQA==?=
    Не прочтено: Не 1,000 @
    not-read
    =?iso-8859-5?Q?=BD=D5_=DF=E0=DE=E7=E2=D5?=??=?iso-8859-5?Q?=DD=DE=3A_=BD=D5_1=2C?=??=?iso-8859-5?Q?000_=40?=
    Не прочтено: Не 1,000 @
    read
    =?utf-8?q?=D0=9F=D1=80=D0=BE=D1=87=D0=B8=D1=82=D0=B0=D0=BD=D0=BE=3A_=D0=9F=D1=80=D0=BE=D1=87=D0=B8=D1=82=D0=B0=D0=BD=D0=BE_1=2C000_=40?=
    Прочитано: Прочитано 1,000 @
    read
    =?koi8-r?B?8NLP3snUwc7POiDw0g==?=??=?koi8-r?B?z97J1MHOzyAxLDAwMA==?=??=?koi8-r?B?IEA=?=
    Прочитано: Прочитано 1,000 @
    read
    =?windows-1251?b?z/Du9+jy4O3u?=? =?windows-1251?b?OiDP8O736PLg?=? =?windows-1251?b?7e4gMSwwMDAg?=? =?windows-1251?b?QA==?=
    Прочитано: Прочитано 1,000 @
    read
    =?iso-8859-5?Q?=BF=E0=DE=E7=D8=E2=D0=DD=DE=3A_=BF=E0=DE=E7=D8=E2=D0=DD=DE_1=2C000_=40?=
    Прочитано: Прочитано 1,000 @
    read
    =?utf-8?q?=D0=9F=D1=80=D0=BE=D1=87=D1=82=D0=B5=D0=BD=D0=BE=3A_=D0=9F=D1=80=D0=BE?=? =?utf-8?q?=D1=87=D1=82=D0=B5=D0=BD=D0=BE_1=2C000_=40?=
    Прочтено: Прочтено 1,000 @
    read
    =?koi8-r?B?8NLP3tTFzs86?=??=?koi8-r?B?IPDSz97Uxc7P?=??=?koi8-r?B?IDEsMDAwIEA=?=
    Прочтено: Прочтено 1,000 @
    read
    =?windows-1251?b?z/Du9/Ll7e46IM/w7vfy5e3uIDEsMDAwIEA=?=
    Прочтено: Прочтено 1,000 @
    read
    =?iso-8859-5?Q?=BF=E0=DE=E7=E2=D5=DD=DE=3A_=BF=E0=DE?=??=?iso-8859-5?Q?=E7=E2=D5=DD=DE_1=2C000_=40?=
    Прочтено: Прочтено 1,000 @
    not-read
    =?utf-8?q?=D0=9D=D0=B5_=D0=BF=D1=80=D0=BE=D1=87=D0=B8=D1=82?=? =?utf-8?q?=D0=B0=D0=BD=D0=BE=3A_=D0=9D=D0=B5_1?=? =?utf-8?q?=2C000_=40?=
    Не прочитано: Не 1,000 @
    not-read
    =?koi8-u?B?7sUg0NLP3snUwc7POiDuxSAxLDAwMCBA?=
    Не прочитано: Не 1,000 @
    not-read
    =?windows-1251?b?zeUg7/Du9+jy4O3uOg==?=? =?windows-1251?b?IM3lIDEsMDAwIEA=?=
    Не прочитано: Не 1,000 @
    read
    =?utf-8?Q?=D0=9F=D1=80=D0=BE=D1=87=D0=B8=D1=82=D0=B0=D0=BD=D0=BE?=??=?utf-8?Q?=3A_=D0=9F=D1=80=D0=BE=D1=87=D0=B8=D1=82=D0=B0?=??=?utf-8?Q?=D0=BD=D0=BE_1=2C000_?=??=?utf-8?Q?=40?=
    Прочитано: Прочитано 1,000 @
    read
    =?koi8-u?q?=F0=D2=CF=DE=C9=D4=C1=CE=CF=3A_=F0=D2=CF=DE=C9=D4=C1=CE=CF_1=2C000_=40?=
    Прочитано: Прочитано 1,000 @
    read
    =?windows-1251?B?z/Du9+jy4O3uOiDP8A==?=??=?windows-1251?B?7vfo8uDt7iAxLDAwMA==?=??=?windows-1251?B?IEA=?=
    Прочитано: Прочитано 1,000 @
    not-read
    =?utf-8?b?zpTOtc69IM60zrnOsc6yzqw=?=? =?utf-8?b?z4PPhM63zrrOtTogzpTOtQ==?=? =?utf-8?b?zr0gMSwwMDAgQA==?=
    Δεν διαβάστηκε: Δεν 1,000 @
    not-read
    =?iso-8859-7?Q?=C4=E5=ED_=E4=E9=E1=E2=DC=F3=F4=E7=EA=E5=3A_=C4=E5=ED_1=2C000_=40?=
    Δεν διαβάστηκε: Δεν 1,000 @
    not-read
    =?windows-1253?q?=C4=E5=ED_=E4=E9=E1=E2=DC=F3=F4=E7=EA?=? =?windows-1253?q?=E5=3A_=C4=E5=ED_1=2C000_?=? =?windows-1253?q?=40?=
    Δεν διαβάστηκε: Δεν 1,000 @
    read
    =?utf-8?B?zpTOuc6xzrLOrM+Dz4TOt866?=??=?utf-8?B?zrU6IM6UzrnOsc6yzqzPgw==?=??=?utf-8?B?z4TOt866zrUgMSwwMA==?=??=?utf-8?B?MCBA?=
    Διαβάστηκε: Διαβάστηκε 1,000 @
    read
    =?iso-8859-7?b?xOnh4tzz9Ofq5TogxOnh4tzz9Ofq5SAxLDAwMCBA?=
    Διαβάστηκε: Διαβάστηκε 1,000 @
    read
    =?windows-1253?Q?=C4=E9=E1=E2=DC=F3=F4=E7=EA=E5=3A_=C4?=??=?windows-1253?Q?=E9=E1=E2=DC=F3=F4=E7=EA=E5_1=2C0?=??=?windows-1253?Q?00_=40?=
    Διαβάστηκε: Διαβάστηκε 1,000 @
    not-read
    =?utf-8?q?Okunmad=C4=B1=3A?=? =?utf-8?q?_Okunmad=C4=B1?=? =?utf-8?q?_1=2C000_=40?=
    Okunmadı: Okunmadı 1,000 @
    not-read
    =?iso-8859-9?B?T2t1bm1hZP06IE9rdW5tYWT9IDEsMDAwIEA=?=
    Okunmadı: Okunmadı 1,000 @
    not-read
    =?windows-1254?b?T2t1bm1hZP06IE9rdQ==?=? =?windows-1254?b?bm1hZP0gMSwwMDAgQA==?=
    Okunmadı: Okunmadı 1,000 @
    read
    =?utf-8?Q?Okundu=3A_O?=??=?utf-8?Q?kundu_1=2C0?=??=?utf-8?Q?00_=40?=
    Okundu: Okundu 1,000 @
    read
    =?iso-8859-9?q?Okundu=3A_Okundu_1=2C000_=40?=
    Okundu: Okundu 1,000 @
    read
    =?windows-1254?B?T2t1bmR1OiBPa3VuZA==?=??=?windows-1254?B?dSAxLDAwMCBA?=
    Okundu: Okundu 1,000 @
    not-read
    =?utf-8?b?15zXkCDXoNen16jXkDog?=? =?utf-8?b?15zXkCAxLDAwMCA=?=? =?utf-8?b?QA==?=
    לא נקרא: לא 1,000 @
    not-read
    =?iso-8859-8?Q?=EC=E0_=F0=F7=F8=E0=3A_=EC=E0_1=2C000_=40?=
    לא נקרא: לא 1,000 @
    not-read
    =?windows-1255?q?=EC=E0_=F0=F7=F8=E0=3A_=EC=E0_1?=? =?windows-1255?q?=2C000_=40?=
    לא נקרא: לא 1,000 @
    read
    =?utf-8?B?16DXp9eo15A6INeg16fXqA==?=??=?utf-8?B?15AgMSwwMDAgQA==?=
    נקרא: נקרא 1,000 @
    read
    =?iso-8859-8?b?8Pf44Dog8Pf44CAxLDAwMCBA?=
    נקרא: נקרא 1,000 @
    read
    =?windows-1255?Q?=F0=F7=F8=E0=3A_=F0=F7=F8=E0_1=2C?=??=?windows-1255?Q?000_=40?=
    נקרא: נקרא 1,000 @
    not-read
    =?utf-8?q?=D9=84=D9=85_=D8=AA=D8=AA=D9=85_=D8=A7=D9=84?=? =?utf-8?q?=D9=82=D8=B1=D8=A7=D8=A1=D8=A9=3A_=D9=84=D9=85?=? =?utf-8?q?_1=2C000_=40?=
    لم تتم القراءة: لم 1,000 @
    not-read
    =?windows-1256?B?4eMgysrjIMfh3tHHwck6IOHjIDEsMDAwIEA=?=
    لم تتم القراءة: لم 1,000 @
    not-read
    =?iso-8859-6?b?5OUgysrlIMfk4tHHwQ==?=? =?iso-8859-6?b?yTog5OUgMSwwMDAgQA==?=
    لم تتم القراءة: لم 1,000 @
    read
    =?utf-8?Q?=D8=AA=D9=85=D8=AA_=D8=A7=D9=84=D9=82=D8=B1=D8=A7?=??=?utf-8?Q?=D8=A1=D8=A9=3A_=D8=AA=D9=85=D8=AA_1?=??=?utf-8?Q?=2C000_=40?=
    تمت القراءة: تمت 1,000 @
    read
    =?windows-1256?q?=CA=E3=CA_=C7=E1=DE=D1=C7=C1=C9=3A_=CA=E3=CA_1=2C000_=40?=
    تمت القراءة: تمت 1,000 @
    read
    =?iso-8859-6?B?yuXKIMfk4tHHwck6IA==?=??=?iso-8859-6?B?yuXKIDEsMDAwIEA=?=
    تمت القراءة: تمت 1,000 @
    not-read
    =?utf-8?b?5pyq6KqtOiDmnKroqq0gMSw=?=? =?utf-8?b?MDAwIEA=?=
    未読: 未読 1,000 @
    not-read
    =?iso-2022-jp?Q?=1B=24BL=24FI=1B=28B=3A_=1B=24BL=24FI=1B=28B_1=2C000_=40?=
    未読: 未読 1,000 @
    not-read
    =?shift_jis?q?=96=A2=93=C7=3A_=96=A2=93=C7_1=2C000_?=? =?shift_jis?q?=40?=
    未読: 未読 1,000 @
    not-read
    =?euc-jp?B?zKTGyTogzKTGySAxLA==?=??=?euc-jp?B?MDAwIEA=?=
    未読: 未読 1,000 @
    not-read
    =?utf-8?b?5pyq6ZaL5bCBOiDmnKrplovlsIEgMSwwMDAgQA==?=
    未開封: 未開封 1,000 @
    not-read
    =?iso-2022-jp?Q?=1B=24BL=243=2BIu=1B=28B=3A_=1B=24BL=243=2BIu=1B=28B_1=2C00?=??=?iso-2022-jp?Q?0_=40?=
    未開封: 未開封 1,000 @
    not-read
    =?shift_jis?q?=96=A2=8AJ=95=95=3A_=96=A2=8AJ=95=95_?=? =?shift_jis?q?1=2C000_=40?=
    未開封: 未開封 1,000 @
    not-read
    =?euc-jp?B?zKSzq8n1OiDMpLOryfUgMSwwMDAgQA==?=
    未開封: 未開封 1,000 @
    read
    =?utf-8?b?6ZaL5bCB5riI44G/OiDplovlsIHmuIjjgb8gMSw=?=? =?utf-8?b?MDAwIEA=?=
    開封済み: 開封済み 1,000 @
    read
    =?iso-2022-jp?Q?=1B=24B3=2BIu=3AQ=24=5F=1B=28B=3A_=1B=24B3=2BIu=3AQ=1B=28B?=??=?iso-2022-jp?Q?=1B=24B=24=5F=1B=28B_1=2C000_=40?=
    開封済み: 開封済み 1,000 @
    read
    =?shift_jis?q?=8AJ=95=95=8D=CF=82=DD=3A_=8AJ=95=95=8D=CF=82=DD_1=2C000_=40?=
    開封済み: 開封済み 1,000 @
    read
    =?euc-jp?B?s6vJ9brRpN86ILOryfW60aTfIDEs?=??=?euc-jp?B?MDAwIEA=?=
    開封済み: 開封済み 1,000 @
    read
    =?utf-8?b?5pei6KqtOiDml6Loqq0gMSw=?=? =?utf-8?b?MDAwIEA=?=
    既読: 既読 1,000 @
    read
    =?iso-2022-jp?Q?=1B=24B4=7BFI=1B=28B=3A_=1B=24B4=7BFI=1B=28B_1=2C000_=40?=
    既読: 既読 1,000 @
    read
    =?shift_jis?q?=8A=F9=93=C7=3A_=8A=F9=93=C7_1=2C000_?=? =?shift_jis?q?=40?=
    既読: 既読 1,000 @
    read
    =?euc-jp?B?tPvGyTogtPvGySAxLA==?=??=?euc-jp?B?MDAwIEA=?=
    既読: 既読 1,000 @
    not-read
    =?utf-8?b?5pyq6K+7OiDmnKror7sgMSwwMDAgQA==?=
    未读: 未读 1,000 @
    not-read
    =?gb2312?Q?=CE=B4=B6=C1=3A_=CE=B4=B6=C1_1=2C000_?=??=?gb2312?Q?=40?=
    未读: 未读 1,000 @
    not-read
    =?gbk?q?=CE=B4=B6=C1=3A_=CE=B4=B6=C1_1=2C?=? =?gbk?q?000_=40?=
    未读: 未读 1,000 @
    not-read
    =?gb18030?B?zrS2wTogzrS2wSAxLDAwMCBA?=
    未读: 未读 1,000 @
    not-read
    =?utf-8?b?5pyq6K6A5Y+WOiDmnKroroDlj5YgMSwwMA==?=? =?utf-8?b?MCBA?=
    未讀取: 未讀取 1,000 @
    not-read
    =?gbk?Q?=CE=B4=D7x=C8=A1=3A_=CE=B4=D7x=C8=A1_?=??=?gbk?Q?1=2C000_=40?=
    未讀取: 未讀取 1,000 @
    not-read
    =?big5?q?=A5=BC=C5=AA=A8=FA=3A_=A5=BC=C5=AA=A8=FA_1=2C000_=40?=
    未讀取: 未讀取 1,000 @
    not-read
    =?gb18030?B?zrTXeMihOiDOtNd4yKEgMSwwMA==?=??=?gb18030?B?MCBA?=
    未讀取: 未讀取 1,000 @
    read
    =?utf-8?b?5bey6K+7OiDlt7Lor7sgMSw=?=? =?utf-8?b?MDAwIEA=?=
    已读: 已读 1,000 @
    read
    =?gb2312?Q?=D2=D1=B6=C1=3A_=D2=D1=B6=C1_1=2C000_=40?=
    已读: 已读 1,000 @
    read
    =?gbk?q?=D2=D1=B6=C1=3A_=D2=D1=B6=C1_1=2C000_?=? =?gbk?q?=40?=
    已读: 已读 1,000 @
    read
    =?gb18030?B?0tG2wTog0tG2wSAxLA==?=??=?gb18030?B?MDAwIEA=?=
    已读: 已读 1,000 @
    read
    =?utf-8?b?6K6A5Y+WOiDoroDlj5YgMSwwMDAgQA==?=
    讀取: 讀取 1,000 @
    read
    =?gbk?Q?=D7x=C8=A1=3A_=D7x=C8=A1_1=2C000_?=??=?gbk?Q?=40?=
    讀取: 讀取 1,000 @
    read
    =?big5?q?=C5=AA=A8=FA=3A_=C5=AA=A8=FA_1=2C?=? =?big5?q?000_=40?=
    讀取: 讀取 1,000 @
    read
    =?gb18030?B?13jIoTog13jIoSAxLDAwMCBA?=
    讀取: 讀取 1,000 @
    not-read
    =?utf-8?b?7J297KeAIOyViuydjDog7J297KeAIDEsMA==?=? =?utf-8?b?MDAgQA==?=
    읽지 않음: 읽지 1,000 @
    not-read
    =?euc-kr?Q?=C0=D0=C1=F6_=BE=CA=C0=BD=3A_=C0=D0=C1=F6?=??=?euc-kr?Q?_1=2C000_=40?=
    읽지 않음: 읽지 1,000 @
    not-read
    =?ks_c_5601-1987?q?=C0=D0=C1=F6_=BE=CA=C0=BD=3A_=C0=D0=C1=F6_1=2C000_=40?=
    읽지 않음: 읽지 1,000 @
    not-read
    =?iso-2022-kr?B?GyQpQw5AUEF2DyAOPkpAPQ86IA5AUEF2DyAxLDA=?=??=?iso-2022-kr?B?MDAgQA==?=
    읽지 않음: 읽지 1,000 @
    read
    =?utf-8?b?7J297J2MOiDsnb3snYwgMSw=?=? =?utf-8?b?MDAwIEA=?=
    읽음: 읽음 1,000 @
    read
    =?euc-kr?Q?=C0=D0=C0=BD=3A_=C0=D0=C0=BD_1=2C000_=40?=
    읽음: 읽음 1,000 @
    read
    =?ks_c_5601-1987?q?=C0=D0=C0=BD=3A_=C0=D0=C0=BD_1=2C000_?=? =?ks_c_5601-1987?q?=40?=
    읽음: 읽음 1,000 @
    read
    =?iso-2022-kr?B?GyQpQw5AUEA9DzogDkBQQD0PIDEs?=??=?iso-2022-kr?B?MDAwIEA=?=
    읽음: 읽음 1,000 @
    """#
