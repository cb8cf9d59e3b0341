/* SPDX-License-Identifier: Apache-2.0
 *
 * test_language: sentences that are in no sample.
 */
#include "policy/language.h"

#include "tests/support/test.h"

struct row {
	const char *code;
	const char *text;
};

static struct arena arena;
static const struct language_profiles *profiles;

static int setup(void **state)
{
	(void)state;
	arena_init(&arena, (size_t)4 << 20);
	profiles = language_profiles_new(&arena);
	return profiles == NULL ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_done(&arena);
	return 0;
}

/* clang-format off */
static void test_sentences(void **state)
{
	static const struct row rows[] = {
		{ "en", "The router gives every task to a node, and a node that is silent for too long loses what it had." },
		{ "en", "Please close the door behind you." },
		{ "en", "I would like to buy two tickets to London." },
		{ "de", "Der Router gibt jede Aufgabe an einen Knoten, und ein Knoten, der zu lange schweigt, verliert sie wieder." },
		{ "de", "Bitte machen Sie die Tür hinter sich zu." },
		{ "de", "Ich möchte gerne zwei Fahrkarten nach Berlin kaufen." },
		{ "fr", "Le routeur donne chaque tâche à un nœud, et un nœud qui se tait trop longtemps la perd." },
		{ "fr", "Je voudrais acheter deux billets pour Paris." },
		{ "es", "El sistema entrega cada tarea a un nodo, y el nodo que calla demasiado tiempo la pierde." },
		{ "es", "Quisiera comprar dos billetes para Madrid." },
		{ "es", "Por favor, cierre la puerta cuando salga." },
		{ "it", "Il sistema affida ogni compito a un nodo, e il nodo che tace troppo a lungo lo perde." },
		{ "it", "Vorrei comprare due biglietti per Roma." },
		{ "it", "Chiudete la porta quando uscite, grazie." },
		{ "pt", "O sistema entrega cada tarefa a um nó, e o nó que fica calado demasiado tempo perde a tarefa." },
		{ "pt", "Eu gostaria de comprar dois bilhetes para Lisboa." },
		{ "pt", "Não esqueça de fechar a porta quando sair." },
		{ "nl", "Het systeem geeft elke taak aan een knoop, en wie te lang zwijgt raakt haar weer kwijt." },
		{ "sv", "Systemet ger varje uppgift till en nod, och den som är tyst för länge förlorar den." },
		{ "sv", "Var snäll och stäng dörren efter dig." },
		{ "da", "Systemet giver hver opgave til en knude, og den som tier for længe, mister den igen." },
		{ "da", "Jeg vil gerne købe to billetter til København." },
		{ "da", "Vær venlig at lukke døren efter dig." },
		{ "pl", "System oddaje każde zadanie węzłowi, a węzeł, który milczy zbyt długo, je traci." },
		{ "pl", "Proszę zamknąć za sobą drzwi." },
		{ "ru", "Система отдаёт каждую задачу узлу, и узел, который слишком долго молчит, её теряет." },
		{ "ru", "Закройте, пожалуйста, за собой дверь." },
		{ "uk", "Система віддає кожне завдання вузлу, і вузол, який занадто довго мовчить, його втрачає." },
		{ "uk", "Зачиніть, будь ласка, за собою двері." },
		{ "zh", "路由器把每个任务交给一个节点，沉默太久的节点会失去任务。" },
		{ "ja", "ルーターは各タスクをノードに渡し、長く黙っているノードはそれを失います。" },
		{ "ko", "라우터는 각 작업을 노드에 넘기고, 너무 오래 조용한 노드는 작업을 잃는다." },
		{ "el", "Ο δρομολογητής δίνει κάθε εργασία σε έναν κόμβο." },
		{ "he", "הנתב נותן כל משימה לצומת אחד ולא יותר" },
		{ "th", "เราเตอร์จะมอบงานแต่ละงานให้กับโหนดหนึ่งโหนด" },
		{ "unknown", "Järjestelmä antaa jokaisen tehtävän solmulle, ja liian kauan vaiti oleva solmu menettää sen." },
		{ "unknown", "Sistem her görevi bir düğüme verir ve çok uzun süre sessiz kalan düğüm görevi kaybeder." },
		{ "unknown", "A rendszer minden feladatot egy csomópontnak ad, és a túl sokáig hallgató csomópont elveszíti." },
		{ "unknown", "Sistem memberikan setiap tugas kepada sebuah simpul, dan simpul yang terlalu lama diam akan kehilangannya." },
		{ "unknown", "Systém předá každý úkol uzlu a uzel, který příliš dlouho mlčí, o něj přijde." },
		{ "unknown", "Sistemul dă fiecare sarcină unui nod, iar nodul care tace prea mult timp o pierde." },
		{ "unknown", "Системата дава всяка задача на възел, и възел, който мълчи твърде дълго, я губи." },
		{ "unknown", "El sistema dóna cada tasca a un node, i el node que calla massa temps la perd." },
		{ "unknown", "Hệ thống giao mỗi nhiệm vụ cho một nút, và nút im lặng quá lâu sẽ mất nhiệm vụ." },
		{ "unknown", "यह प्रणाली हर काम एक नोड को देती है और चुप रहने वाला नोड उसे खो देता है" },
		{ "unknown", "for (int i = 0; i < n; i++) { sum += a[i] * b[k]; printf(\"%d\", sum); }" },
		{ "unknown", "0123 4567 8910 1112 1314 1516 1718 1920 +++ --- === " },
		{ "unknown", "qwer tzui opas dfgh jklx cvbn mqwe rtzu iopa sdfg hjkl yxcv" },
		{ "unknown", "abcabcabc deadbeef cafebabe 0123 feedface 1337 c0ffee babababa" },
		{ "unknown", "Kerfið gefur hnút hvert verkefni, og hnútur sem þegir of lengi missir það." },
		{ "unknown", "Mfumo hutoa kila kazi kwa nodi, na nodi inayonyamaza kwa muda mrefu huipoteza." },
		{ "unknown", "النظام يعطي كل مهمة لعقدة واحدة" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct language l = language_of(profiles, span_str(rows[i].text));

		if (strcmp(l.code, rows[i].code) != 0)
			fail_msg("%s, not %s: %s", l.code, rows[i].code, rows[i].text);
		assert_int_equal(l.sure_permille > 0, strcmp(l.code, "unknown") != 0);
	}
}

/* So short that unknown is right, too; another language is not. */
static void test_short_sentences(void **state)
{
	static const struct row rows[] = {
		{ "fr", "Veuillez fermer la porte derrière vous." },
		{ "nl", "Ik wil graag twee kaartjes naar Amsterdam kopen." },
		{ "nl", "Doe de deur achter je dicht, alsjeblieft." },
		{ "sv", "Jag skulle vilja köpa två biljetter till Stockholm." },
		{ "pl", "Chciałbym kupić dwa bilety do Warszawy." },
		{ "ru", "Я хотел бы купить два билета до Москвы." },
		{ "uk", "Я хотів би купити два квитки до Києва." },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct language l = language_of(profiles, span_str(rows[i].text));

		if (strcmp(l.code, rows[i].code) != 0 && strcmp(l.code, "unknown") != 0)
			fail_msg("%s, not %s: %s", l.code, rows[i].code, rows[i].text);
	}
}
/* clang-format on */

static void test_what_is_no_text(void **state)
{
	static unsigned char bytes[70000];
	struct prng prng;
	struct language l;

	(void)state;
	rand_start(&prng);
	l = language_of(profiles, SPAN_LIT(""));
	assert_string_equal(l.code, "unknown");
	assert_string_equal(l.script, "none");
	for (unsigned round = 0; round < 50; round++) {
		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = (unsigned char)prng_next(&prng);
		l = language_of(profiles, span_of(bytes, sizeof(bytes)));
		assert_string_equal(l.code, "unknown");
	}
	memset(bytes, 'e', sizeof(bytes)); /* one endless word */
	l = language_of(profiles, span_of(bytes, sizeof(bytes)));
	assert_string_equal(l.code, "unknown");
	assert_string_equal(l.script, "latin");
	assert_in_range(l.letters, 16000, LANGUAGE_READ_BYTES);
}

/* Two languages in one text: neither. */
static void test_mixed(void **state)
{
	struct language l =
		language_of(profiles, SPAN_LIT("The router gives every task to a node. "
					       "Система отдаёт каждую задачу узлу и ждёт."));

	(void)state;
	assert_string_equal(l.code, "unknown");
}

static void test_list(void **state)
{
	unsigned n = 0;

	(void)state;
	assert_string_equal(language_at(0), "en");
	while (language_at(n) != NULL)
		n++;
	assert_int_equal(n, 18);
}

static void test_no_memory(void **state)
{
	struct arena small;

	(void)state;
	arena_init(&small, 1024);
	assert_null(language_profiles_new(&small));
	arena_done(&small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sentences),
		cmocka_unit_test(test_short_sentences),
		cmocka_unit_test(test_what_is_no_text),
		cmocka_unit_test(test_mixed),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
