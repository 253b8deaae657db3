"""Fine-tunes a model with LoRA on an exported dataset (`openai-chat`), on a GPU or, for a small model, on the CPU.

Writes the merged model in the layout of Hugging Face to --out and prints one JSON object: rows, steps, seconds, and the mean
cross-entropy of the answers' tokens on the validation set before and after, in nats.
"""
import argparse
import json
import time

import torch
from datasets import load_dataset
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import SFTConfig, SFTTrainer

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--model", required=True, help="folder or name of the model")
parser.add_argument("--gguf", help="GGUF file within that folder; it is read into 32-bit weights")
parser.add_argument("--train", required=True, help="JSON Lines with messages")
parser.add_argument("--validation", required=True, help="the same, held out")
parser.add_argument("--out", required=True)
parser.add_argument("--epochs", type=float, default=3)
parser.add_argument("--learning-rate", type=float, default=2e-4)
parser.add_argument("--rank", type=int, default=16)
parser.add_argument("--batch", type=int, default=4)
arguments = parser.parse_args()

gpu = torch.cuda.is_available()
tokenizer = AutoTokenizer.from_pretrained(arguments.model, gguf_file=arguments.gguf)
model = AutoModelForCausalLM.from_pretrained(
    arguments.model, gguf_file=arguments.gguf, dtype=torch.bfloat16 if gpu else torch.float32
)
if arguments.gguf:
    # The weights are plain tensors by now; the flag for quantized weights would prevent the trainer from starting.
    model.is_quantized = False
    model.hf_quantizer = None
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config


def split(row):
    """The loss counts only the answer, so the messages before it are the prompt."""
    return {"prompt": row["messages"][:-1], "completion": row["messages"][-1:]}


data = load_dataset("json", data_files={"train": arguments.train, "validation": arguments.validation})
data = data.map(split, remove_columns=data["train"].column_names)
trainer = SFTTrainer(
    model=model,
    processing_class=tokenizer,
    train_dataset=data["train"],
    eval_dataset=data["validation"],
    peft_config=LoraConfig(
        r=arguments.rank, lora_alpha=2 * arguments.rank, target_modules="all-linear", task_type="CAUSAL_LM"
    ),
    args=SFTConfig(
        output_dir=f"{arguments.out}/checkpoints",
        num_train_epochs=arguments.epochs,
        learning_rate=arguments.learning_rate,
        lr_scheduler_type="cosine",
        per_device_train_batch_size=arguments.batch,
        per_device_eval_batch_size=arguments.batch,
        max_length=1024,
        save_strategy="no",
        logging_steps=10,
        report_to="none",
        use_cpu=not gpu,
        bf16=gpu,
        gradient_checkpointing=False,
        dataloader_pin_memory=False,
        seed=1,
    ),
)
before = trainer.evaluate()["eval_loss"]
started = time.monotonic()
result = trainer.train()
seconds = time.monotonic() - started
after = trainer.evaluate()["eval_loss"]
trainer.model.merge_and_unload().save_pretrained(arguments.out)
tokenizer.save_pretrained(arguments.out)
print(
    json.dumps(
        {
            "rows": len(data["train"]),
            "validation_rows": len(data["validation"]),
            "steps": result.global_step,
            "seconds": round(seconds, 1),
            "train_loss": round(result.training_loss, 4),
            "validation_loss_before": round(before, 4),
            "validation_loss_after": round(after, 4),
        }
    )
)
